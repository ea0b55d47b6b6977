import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { convertWeights, exportPython, THRESHOLDS } from '../../../lib/index.js';
import { starterFolder } from '../../../lib/inference/ensemble-file.js';
import { rejection } from '../../support/sdk.js';
import { temporaryFolder } from '../../support/weights.js';

const inFolder = temporaryFolder();
const segmenter = join(starterFolder, 'segmenter-histology.safetensors');
const classifier = join(starterFolder, 'classifier.safetensors');

test('the script has the values of the network and the thresholds', async () => {
  const script = await exportPython(segmenter, {
    thresholds: { minScore: 0.85, removeOverlaps: { maxLost: 0.25 }, rpn: { postNmsTopN: 700 } },
    config: { classNames: ['"nucleus"'] },
    weights: '../weights/a "b".safetensors',
  });
  for (const line of [
    'WEIGHTS = Path(__file__).parent / "../weights/a \\"b\\".safetensors"',
    'CLASS_NAMES = ["\\"nucleus\\""]',
    'MIN_SCORE = 0.85 ',
    'MAX_LOST = 0.25',
    'return nn.GroupNorm(16, channels, eps=0.00001)',
    'rpn_post_nms_top_n_test=700,',
    `MASK_THRESHOLD = ${THRESHOLDS.maskThreshold.default} `,
    'np.percentile(pixels.astype(np.float64), [0.5, 99.5])',
    'scale = min(2, 2400 / max(height, width))',
  ]) {
    expect(script).toContain(line);
  }
});

test('lines fit a screen, and parts are separated as PEP 8 says', async () => {
  for (const path of [segmenter, classifier]) {
    const lines = (await exportPython(path)).split('\n');
    expect(lines.filter((line) => line.length > 120)).toEqual([]);
    lines.forEach((line, i) => {
      if (/^(def|class|@|if __name__)/.test(line) && !lines[i - 1]!.startsWith('@')) {
        expect([line, ...lines.slice(i - 3, i).map((before) => before === '')]).toEqual([
          line,
          false,
          true,
          true,
        ]);
      }
    });
  }
});

test('a text of the file cannot end the docstring', async () => {
  const name = process.platform === 'win32' ? 'a.safetensors' : '"""\\x.safetensors';
  await convertWeights(segmenter, inFolder(name));
  const script = await exportPython(inFolder(name));
  expect(script.split('"""')[1]).toContain(name.replace(/["\\]/g, '_'));
});

test('refuses thresholds for a classifier, other files and options by name', async () => {
  const refusals: [() => Promise<unknown>, string, RegExp][] = [
    [() => exportPython(classifier, { thresholds: { minScore: 0.5 } }), 'INVALID_ARGUMENT', /thresholds/],
    [
      () => exportPython(segmenter, { thresholds: { minScore: 2 } }),
      'INVALID_ARGUMENT',
      /thresholds\.minScore/,
    ],
    [() => exportPython(segmenter, { name: 'x' } as never), 'INVALID_ARGUMENT', /name/],
    [() => exportPython(segmenter, { config: { numClasses: 1 } }), 'INVALID_CONFIG', /numClasses/],
    [() => exportPython(inFolder('missing')), 'FILE_UNREADABLE', /missing/],
  ];
  const pth = inFolder('model.pth');
  await convertWeights(segmenter, pth);
  refusals.push([
    () => exportPython(pth),
    'WEIGHTS_FORMAT',
    /cellroute convert .*model\.pth .*model\.safetensors/,
  ]);
  for (const [attempt, code, message] of refusals) {
    const error = await rejection(attempt());
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  }
});

test('weights with a wrapper of the names are loaded without it', async () => {
  const bytes = readFileSync(segmenter);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, unknown>;
  const wrapped = Object.fromEntries(
    Object.entries(header).map(([name, entry]) => [name === '__metadata__' ? name : `module.${name}`, entry]),
  );
  const text = Buffer.from(JSON.stringify(wrapped));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(inFolder('wrapped.safetensors'), Buffer.concat([size, text, bytes.subarray(8 + length)]));
  expect(await exportPython(inFolder('wrapped.safetensors'))).toContain('name.removeprefix("module.")');
});
