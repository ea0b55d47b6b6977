import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CellClassifier,
  CellSegmenter,
  convertWeights,
  exportPython,
  inspectWeights,
  type PartialClassifierConfig,
} from '../../lib/index.js';
import { openWeights } from '../../lib/weights/open.js';
import { root } from '../support/sdk.js';
import { readAll, referencePython, refusalOf, temporaryFolder, testReference } from '../support/weights.js';

// Checkpoints that torchvision, Lightning and fastai wrote: the tensors that cellroute loads are those that the library has, and
// classes are those that it names.

const inFolder = temporaryFolder();
jest.setTimeout(900_000);
const nuclei = join(root, 'examples/images/fluorescence-small-crowded.png');

/** What the last line of a Python program says. */
function python<T>(...args: string[]): T {
  const { status, stdout, stderr } = spawnSync(referencePython!, args, {
    encoding: 'utf8',
    cwd: inFolder(''),
  });
  if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stderr}`);
  // fastai draws progress bars around it.
  const line = stdout.split(/[\r\n]+/).findLast((text) => /^[{[]/.test(text));
  return JSON.parse(line!) as T;
}

function make<T>(library: string, ...args: string[]): { at: (name: string) => string; answer: T } {
  const folder = inFolder(library);
  mkdirSync(folder);
  const answer = python<T>(join(__dirname, 'make_checkpoints.py'), library, folder, ...args);
  return { at: (name) => join(folder, name), answer };
}

/** Loads a network, saves it, and compares its tensors with those of a file. */
async function expectTensors(
  load: (path: string) => Promise<CellSegmenter | CellClassifier>,
  path: string,
  expected: string,
): Promise<void> {
  const saved = `${path}.saved.safetensors`;
  await using network = await load(path);
  await network.save(saved, { dtype: 'float32' });
  const [mine, theirs] = await Promise.all(
    [saved, expected].map(async (file) => readAll(await openWeights(file))),
  );
  // Counters of batch norms are no weights.
  const names = [...theirs!.keys()].filter((name) => !name.endsWith('num_batches_tracked'));
  expect(names.length).toBeGreaterThan(60);
  const differing = names.filter(
    (name) => !Buffer.from(theirs!.get(name)!).equals(mine!.get(name) ?? Buffer.alloc(0)),
  );
  expect(differing).toEqual([]);
}

const segmenter = (path: string) => CellSegmenter.load(path);

testReference('torchvision’s checkpoints in every form load with their tensors', async () => {
  const { at, answer: names } = make<string[]>('torchvision');
  expect(names.length).toBeGreaterThan(6);
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  for (const name of names) await expectTensors(segmenter, at(`${name}.pth`), at('cells.safetensors'));
  expect(warned.mock.calls.map(([text]) => /prefix '([^']*)'/.exec(String(text))?.[1]).sort()).toEqual([
    '_orig_mod.',
    'module.',
    'module.',
  ]);
  warned.mockRestore();
  await expectTensors(segmenter, at('resnet50.pth'), at('resnet50.safetensors'));
  const classNames = ['a', 'b', 'c', 'd'];
  const router = (path: string) => CellClassifier.load(path, { config: { classNames } });
  await expectTensors(router, at('classifier.pth'), at('classifier.safetensors'));

  await using network = await CellSegmenter.load(at('resnet50.pth'));
  expect(network.config).toMatchObject({
    backbone: { depth: 50, width: 64, norm: { kind: 'batch' }, returnedLayers: [1, 2, 3, 4] },
    numClasses: 3,
    box: { hidden: 1024 },
  });
  const half = await openWeights(at('half.pth'));
  expect(new Set(half.tensors.map(({ dtype }) => dtype))).toEqual(new Set(['F16']));
  await (await CellSegmenter.load(at('half.pth'))).dispose();

  // A whole module is refused, and its state dict is listed.
  const refused = await refusalOf(at('module.pth'));
  expect(refused.code).toBe('WEIGHTS_REFUSED');
  expect(refused.message).toMatch(/save the model's state_dict/);
  const { tensors } = await inspectWeights(at('module.pth'));
  const inZip = (await openWeights(at('zip.pth'))).tensors;
  expect(tensors.map(({ name }) => name)).toEqual(inZip.map(({ name }) => name));
});

testReference('Lightning’s checkpoints load with the tensors after the last step', async () => {
  const { at, answer } = make<{ changed: number }>('lightning');
  expect(answer.changed).toBeGreaterThan(1e-4);
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  for (const name of ['whole', 'weights', 'callback']) {
    await expectTensors(segmenter, at(`${name}.ckpt`), at('cells.safetensors'));
  }
  expect(warned).toHaveBeenCalledTimes(3);
  warned.mockRestore();
});

testReference('fastai’s exports and saved learners name the classes that fastai names', async () => {
  const { at, answer } = make<Record<string, Record<string, number>>>('fastai', nuclei);
  for (const [name, expected] of Object.entries(answer)) {
    await using exported = await CellClassifier.load(at(`${name}.pkl`));
    const { classNames, resize, imageMean, imageStd } = exported.config;
    const config: PartialClassifierConfig = { classNames, resize, imageMean, imageStd };
    expect(classNames).toEqual(Object.keys(expected));
    expect(resize).toEqual({ width: 96, height: 72, method: name === 'squished' ? 'squish' : 'crop' });
    await using saved = await CellClassifier.load(at(`${name}.pth`), { config });
    await using bare = await CellClassifier.load(at(`${name}-bare.pth`), { config });
    // The script reads safetensors, with fastai's names of the tensors.
    const plain = at(`${name}-converted.safetensors`);
    await convertWeights(at(`${name}-bare.pth`), plain);
    const script = at(`${name}.py`);
    writeFileSync(script, await exportPython(plain, { config }));
    const own = python<Record<string, number>>(join(__dirname, 'run_script.py'), script, 'classify', nuclei);
    const answers = await Promise.all([exported, saved, bare].map((one) => one.classify(nuclei)));
    for (const probabilities of [...answers.map((one) => one.probabilities), own]) {
      for (const [type, value] of Object.entries(expected)) {
        expect(Math.abs(probabilities[type]! - value)).toBeLessThan(1e-3);
      }
    }
  }
});
