import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CellClassifier, type RawImage, RoutedEnsemble } from '../../../lib/index.js';
import { readEnsembleFile } from '../../../lib/inference/ensemble-file.js';
import { hashOf } from '../../../lib/outputs.js';
import {
  addToEnsemble,
  ClassifierTrainer,
  createEnsemble,
  describeEnsemble,
  openDataset,
  removeFromEnsemble,
  renameInEnsemble,
  SegmenterTrainer,
} from '../../../lib/train.js';
import { refusal } from '../../support/refusal.js';
import { syntheticData, tinyClassifier, tinySegmenter } from '../../support/synthetic.js';

// Each change is made once per call that it makes to the file system.
const temporary = mkdtempSync(join(tmpdir(), 'cellroute-replaced-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
afterEach(() => jest.restoreAllMocks());
const at = (name: string) => join(temporary, name);
/** Networks of some kilobytes, because they are written again and again. */
const segmenter = at('segmenter run');
const router = at('router run');

/** Images of one grey value with some pixels of another. */
const image = (grey: number): RawImage => ({
  data: Uint8Array.from({ length: 64 * 64 }, (_, i) => (i % 7 === 0 ? 255 - grey : grey)),
  width: 64,
  height: 64,
  channels: 1,
});

const base = at('base');
beforeAll(async () => {
  const data = await openDataset(await syntheticData(at('data'), 4));
  const logs = { tensorboard: false };
  const config = { network: tinySegmenter, steps: 1, logs };
  for await (const _ of new SegmenterTrainer({ data, folder: segmenter, config }).run());
  const routing = { network: tinyClassifier, steps: 1, logs };
  for await (const _ of new ClassifierTrainer({ data, folder: router, config: routing }).run());
  await createEnsemble(base, {
    types: {
      dark: { segmenter, images: [20, 30, 40].map(image), thresholds: { minScore: 0.6 } },
      bright: { segmenter: null, images: [180, 200, 220].map(image) },
      grey: { segmenter, images: [100, 110, 120].map(image) },
    },
    fallback: 'dark',
    router,
  });
});

/** What a folder is as an ensemble, without the names of its files: their contents stand for the networks. */
async function stateOf(folder: string) {
  const { classifier, segmenters, fallback } = await readEnsembleFile(folder);
  const { types } = await describeEnsemble(folder);
  const files = Object.entries(segmenters).map(async ([type, entry]) => [
    type,
    entry && (await hashOf(join(folder, entry.weights))),
    entry?.thresholds,
  ]);
  return {
    types: types.map(({ type }) => type),
    router: await hashOf(join(folder, classifier)),
    fallback: fallback ?? null,
    segmenters: await Promise.all(files),
    statistics: types.map(({ type, images }) => [type, images]),
  };
}

async function logitsOf(folder: string): Promise<number[]> {
  await using ensemble = await RoutedEnsemble.load(folder);
  return [...(await ensemble.classifier.classify(image(25))).logits];
}

/** The files of a folder that its ensemble does not name. */
async function unnamed(folder: string): Promise<string[]> {
  const { classifier, segmenters, statistics } = await readEnsembleFile(folder);
  const named = new Set([
    'ensemble.json',
    classifier,
    statistics,
    ...Object.values(segmenters).map((entry) => entry?.weights),
  ]);
  return readdirSync(folder).filter((name) => !name.startsWith('.cellroute') && !named.has(name));
}

const CHANGING = ['appendFile', 'copyFile', 'link', 'open', 'rename', 'rm', 'unlink', 'writeFile'] as const;

/** From the call `allowed + 1` on, no function changes the folder any more, as if the process had been killed there. */
function endAfter(folder: string, allowed: number): () => number {
  let calls = 0;
  for (const name of CHANGING) {
    const original = fs[name] as (...values: unknown[]) => Promise<unknown>;
    jest.spyOn(fs, name).mockImplementation(((...values: unknown[]) => {
      const concerns = values.some((value) => typeof value === 'string' && value.startsWith(folder));
      const reads = name === 'open' && values[1] === 'r';
      if (!concerns || reads || ++calls <= allowed) return original(...values);
      return Promise.reject(Object.assign(new Error('the process has ended'), { code: 'EIO' }));
    }) as never);
  }
  return () => calls;
}

describe('wherever the process ends, the folder has the old or the new ensemble:', () => {
  const changes: [name: string, change: (folder: string) => Promise<void>][] = [
    ['add', (folder) => addToEnsemble(folder, { type: 'new', images: [image(60), image(65)], segmenter })],
    ['remove', (folder) => removeFromEnsemble(folder, { type: 'dark' })],
    ['rename', (folder) => renameInEnsemble(folder, { from: 'dark', to: 'night' })],
    [
      'save',
      async (folder) => {
        await using ensemble = await RoutedEnsemble.load(folder);
        ensemble.setThresholds({ grey: { minScore: 0.9 } });
        await ensemble.save(folder);
      },
    ],
  ];

  test.each(changes)('%s', async (name, change) => {
    const before = await stateOf(base);
    const whole = at(`${name}-whole`);
    cpSync(base, whole, { recursive: true });
    await change(whole);
    const after = await stateOf(whole);
    expect(after).not.toEqual(before);
    expect(await unnamed(whole)).toEqual([]);
    expect(await logitsOf(whole)).toHaveLength(after.types.length);

    const seen = { before: 0, after: 0 };
    for (let allowed = 0, hasEnded = true; hasEnded; allowed++) {
      const folder = at(`${name}-${allowed}`);
      cpSync(base, folder, { recursive: true });
      const count = endAfter(folder, allowed);
      await change(folder).catch(() => undefined);
      jest.restoreAllMocks();
      hasEnded = count() > allowed;
      const state = await stateOf(folder);
      expect([before, after]).toContainEqual(state);
      const isOld = JSON.stringify(state) === JSON.stringify(before);
      seen[isOld ? 'before' : 'after']++;
      // The change can be made again. Every eighth of these takes an eighth of the time.
      if (isOld && allowed % 8 === 0) {
        await change(folder);
        expect(await stateOf(folder)).toEqual(after);
      }
      rmSync(folder, { recursive: true });
    }
    expect(seen.before).toBeGreaterThan(4);
    expect(seen.after).toBeGreaterThan(1);
  });
});

test('an abort while the files are written leaves the ensemble as it was, and no other files', async () => {
  const before = await stateOf(base);
  const changes: [name: string, change: (folder: string, signal: AbortSignal) => Promise<void>][] = [
    [
      'add',
      (folder, signal) => addToEnsemble(folder, { type: 'new', images: [image(60)], segmenter, signal }),
    ],
    ['remove', (folder, signal) => removeFromEnsemble(folder, { type: 'dark', signal })],
    ['rename', (folder, signal) => renameInEnsemble(folder, { from: 'dark', to: 'night', signal })],
    [
      'create',
      (folder, signal) =>
        createEnsemble(folder, { types: { grey: { segmenter, images: [image(100)] } }, router, signal }),
    ],
  ];
  for (const [name, change] of changes) {
    const folder = at(`aborted-${name}`);
    cpSync(base, folder, { recursive: true });
    const stop = new AbortController();
    const reason = new Error('enough');
    const { rename } = fs;
    jest.spyOn(fs, 'rename').mockImplementation(async (from, to) => {
      await rename(from, to);
      if (String(to).endsWith('.safetensors')) stop.abort(reason);
    });
    await expect(change(folder, stop.signal)).rejects.toBe(reason);
    jest.restoreAllMocks();
    expect(await stateOf(folder)).toEqual(before);
    expect(await unnamed(folder)).toEqual([]);
  }
});

test('an ensemble that is changed again and again has no other files than its own', async () => {
  const folder = at('again');
  cpSync(base, folder, { recursive: true });
  for (const [from, to] of [
    ['dark', 'grey.2'],
    ['grey.2', 'dark'],
    ['grey', 'x'],
    ['x', 'grey'],
  ] as const) {
    await renameInEnsemble(folder, { from, to });
    expect(await unnamed(folder)).toEqual([]);
  }
  expect(await logitsOf(folder)).toEqual(await logitsOf(base));
});

test('a file that was changed since is not deleted, unless force is set', async () => {
  const folder = at('changed');
  cpSync(base, folder, { recursive: true });
  const { classifier } = await readEnsembleFile(folder);
  await using loaded = await CellClassifier.load(join(folder, classifier));
  const changed = at('changed.safetensors');
  await loaded.saveAs(changed, ['dark', 'bright', 'grey'], {
    ...(await loaded.lastLayer()),
    bias: new Float32Array(3),
  });
  writeFileSync(join(folder, classifier), readFileSync(changed));
  const rename = (force: boolean) => renameInEnsemble(folder, { from: 'dark', to: 'night', force });
  expect((await refusal(rename(false))).code).toBe('FILE_UNWRITABLE');
  expect((await stateOf(folder)).types).toContain('dark');
  expect(readFileSync(join(folder, classifier))).toEqual(readFileSync(changed));
  await rename(true);
  expect((await stateOf(folder)).types).toContain('night');
  expect(await unnamed(folder)).toEqual([]);
});

test('a change of an ensemble that another process has changed meanwhile is refused', async () => {
  const folder = at('meanwhile');
  cpSync(base, folder, { recursive: true });
  async function* images() {
    yield image(60);
    await renameInEnsemble(folder, { from: 'dark', to: 'night' });
  }
  const error = await refusal(addToEnsemble(folder, { type: 'new', images: images(), segmenter: null }));
  expect(error).toMatchObject({
    code: 'RUN_LOCKED',
    message: expect.stringMatching(/changed by another process/),
  });
  expect((await stateOf(folder)).types).toEqual(['night', 'bright', 'grey']);
});
