import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CellClassifier,
  CellrouteError,
  CellSegmenter,
  RoutedEnsemble,
  type RoutedSegmentation,
} from '../../lib/index.js';
import { readEnsembleFile } from '../../lib/inference/ensemble-file.js';
import { native } from '../../lib/native/load.js';
import { openWeights } from '../../lib/weights/open.js';
import { TensorReader } from '../../lib/weights/read-tensor.js';
import { sourceOfEntry, withFloats } from '../../lib/weights/source.js';
import { writeWeights } from '../../lib/weights/write.js';
import { badValues } from '../support/bad-values.js';
import { fewProposals, imageBytes, rejection, testEnsemble, thrown } from '../support/sdk.js';

let ensemble: RoutedEnsemble;
beforeAll(async () => {
  ensemble = await RoutedEnsemble.load(testEnsemble);
  ensemble.setThresholds({ fluorescence: { ...ensemble.thresholds.fluorescence, rpn: fewProposals } });
});
afterAll(async () => {
  await ensemble.dispose();
});

const plain = ({ cells, ...rest }: RoutedSegmentation) => ({
  ...rest,
  boxes: Array.from(cells.boxes),
  scores: Array.from(cells.scores),
  masks: cells.masks.toCoco(),
});

describe('segment', () => {
  test('classifies the type and finds the cells', async () => {
    const result = await ensemble.segment(imageBytes('small'));
    expect(result.cellType).toBe('fluorescence');
    expect(result.segmenter).toBe('fluorescence');
    expect(result.probabilities.fluorescence).toBeGreaterThan(0.9);
    expect(Object.values(result.probabilities).reduce((sum, p) => sum + p)).toBeCloseTo(1, 5);
    expect([result.width, result.height]).toEqual([256, 256]);
    const { cells } = result;
    expect(cells.length).toBeGreaterThan(15);
    expect(Array.from(cells.areas)).toEqual(Array.from(cells.masks.areas()));
    expect(Array.from(cells.scores)).toEqual(Array.from(cells.scores).sort((a, b) => b - a));
    const [first] = cells;
    expect(first!.mask.length).toBe(1);
    expect(first!.mask.areas()[0]).toBe(first!.area);
    expect([...cells]).toHaveLength(cells.length);
    expect(cells.at(-1)!.index).toBe(cells.length - 1);
  });

  test('a mask is inside its box, up to the pixel that pasting adds', async () => {
    const { cells } = await ensemble.segment(imageBytes('small'));
    const boxes = cells.masks.boxes();
    cells.areas.forEach((area, i) => {
      if (area === 0) return;
      const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4);
      const { box } = cells.at(i)!;
      expect(x1!).toBeGreaterThanOrEqual(Math.floor(box.x1) - 2);
      expect(y1!).toBeGreaterThanOrEqual(Math.floor(box.y1) - 2);
      expect(x2!).toBeLessThanOrEqual(Math.ceil(box.x2) + 2);
      expect(y2!).toBeLessThanOrEqual(Math.ceil(box.y2) + 2);
    });
  });

  test('minScore equals filtering afterwards', async () => {
    const all = await ensemble.segment(imageBytes('medium'), { minScore: 0, removeOverlaps: false });
    const some = await ensemble.segment(imageBytes('medium'), { minScore: 0.9, removeOverlaps: false });
    const kept = Array.from(all.cells.scores).flatMap((score, i) => (score > 0.9 ? [i] : []));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(all.cells.length);
    expect(some.cells.masks.toCoco()).toEqual(all.cells.masks.select(kept).toCoco());
    expect(Array.from(some.cells.scores)).toEqual(kept.map((i) => all.cells.scores[i]));
  });

  test('removeOverlaps assigns each pixel to one cell', async () => {
    const { cells } = await ensemble.segment(imageBytes('large'), {
      minScore: 0.1,
      removeOverlaps: { maxLost: 1 },
    });
    const taken = new Uint8Array(696 * 520);
    for (let i = 0; i < cells.length; i++) {
      cells.masks.decode(i).forEach((inside, pixel) => {
        taken[pixel]! += inside;
      });
    }
    expect(taken.reduce((most, times) => Math.max(most, times))).toBe(1);
  });

  test('minArea drops smaller masks', async () => {
    const { cells } = await ensemble.segment(imageBytes('small'), { minArea: 200 });
    expect(Math.min(...cells.areas)).toBeGreaterThanOrEqual(200);
  });

  test('a reached limit is reported', async () => {
    const free = await ensemble.segment(imageBytes('small'));
    expect(free.limitsReached).toEqual({ detections: false, proposals: false });
    const limited = await ensemble.segment(imageBytes('small'), { detectionsPerImage: 3 });
    expect(limited.limitsReached.detections).toBe(true);
    expect(limited.cells.length).toBe(3);
    const few = await ensemble.segment(imageBytes('small'), { rpn: { postNmsTopN: 5 } });
    expect(few.limitsReached.proposals).toBe(true);
  });

  test('concurrent calls have the same results as sequential ones', async () => {
    const names = ['small', 'medium', 'small', 'large', 'small', 'small'] as const;
    const alone: ReturnType<typeof plain>[] = [];
    for (const name of names) alone.push(plain(await ensemble.segment(imageBytes(name))));
    const together = (await Promise.all(names.map((name) => ensemble.segment(imageBytes(name))))).map(plain);
    together.forEach((result, i) => {
      expect(result.scores.length).toBe(alone[i]!.scores.length);
      for (const [k, value] of result.boxes.entries()) expect(value).toBeCloseTo(alone[i]!.boxes[k]!, 2);
    });
  });

  test('the caller may reuse its buffer after the call has settled', async () => {
    const data = new Uint8Array(64 * 64).map((_, i) =>
      Math.hypot((i % 64) - 32, (i >> 6) - 32) < 12 ? 220 : 20,
    );
    const image = { data: data.slice(), width: 64, height: 64, channels: 1 as const };
    const before = plain(await ensemble.segment(image, { cellType: 'fluorescence' }));
    const pending = ensemble.segment(image, { cellType: 'fluorescence' });
    await new Promise((done) => setImmediate(done));
    image.data.fill(0);
    expect(plain(await pending).scores.length).toBe(before.scores.length);
  });

  test('raw pixels of 8 and 16 bits with the same values find the same cells', async () => {
    const grey = new Uint8Array(96 * 80).map((_, i) =>
      ((i % 96) - 40) ** 2 + (Math.floor(i / 96) - 40) ** 2 < 200 ? 180 : 10,
    );
    const eight = await ensemble.segment(
      { data: grey, width: 96, height: 80, channels: 1 },
      { cellType: 'fluorescence' },
    );
    const sixteen = await ensemble.segment(
      { data: Uint16Array.from(grey, (value) => value * 257), width: 96, height: 80, channels: 1 },
      { cellType: 'fluorescence' },
    );
    expect(sixteen.cells.masks.toCoco()).toEqual(eight.cells.masks.toCoco());
  });

  test.each([
    [1, 1],
    [3, 200],
    [200, 1],
  ])('an image of %i x %i is accepted', async (width, height) => {
    const image = { data: new Uint8Array(width * height), width, height, channels: 1 as const };
    const { cells } = await ensemble.segment(image, { cellType: 'fluorescence' });
    expect(cells.masks.width).toBe(width);
    expect(cells.masks.height).toBe(height);
  });
});

describe('invalid arguments', () => {
  test.each([
    ['an unknown option', { minscore: 0.5 }, 'minscore', /did you mean minScore/],
    ['a score above 1', { minScore: 1.5 }, 'minScore', /from 0 to 1/],
    ['NaN', { maskThreshold: Number.NaN }, 'maskThreshold', /NaN/],
    ['a text for a number', { minArea: '5' }, 'minArea', /"5" \(string\)/],
    ['a share above 1', { removeOverlaps: { maxLost: 2 } }, 'removeOverlaps.maxLost', /from 0 to 1/],
    ['a misspelt part', { rpn: { preNmsTopn: 10 } }, 'rpn.preNmsTopn', /did you mean preNmsTopN/],
    ['an unknown type', { cellType: 'astro' }, 'cellType', /fluorescence, histology/],
  ])('%s', async (_, options, option, message) => {
    const error = await rejection(ensemble.segment(imageBytes('small'), options as object));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.details?.option).toBe(option);
    expect(error.message).toMatch(message);
  });

  test.each([
    ['nothing', undefined],
    ['an empty buffer', Buffer.alloc(0)],
    ['data of a wrong length', { data: new Uint8Array(5), width: 2, height: 2, channels: 1 }],
  ])('%s instead of an image', async (_, image) => {
    const error = await rejection(ensemble.segment(image as Buffer));
    expect(['INVALID_ARGUMENT', 'IMAGE_UNREADABLE']).toContain(error.code);
  });

  test('a path without a file', async () => {
    expect(await rejection(ensemble.segment('cells.png'))).toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('bytes that are not an image', async () => {
    const error = await rejection(ensemble.segment(Buffer.from('not an image at all, just words')));
    expect(['IMAGE_UNREADABLE', 'IMAGE_UNSUPPORTED']).toContain(error.code);
  });

  test('a native handle of another kind', () => {
    const addon = native();
    expect(() => addon.releaseModel(addon.createCancel() as never)).toThrow(
      /not a native object of this kind/,
    );
    expect(() => addon.cancel({} as never)).toThrow(/not a native object of this kind/);
  });
});

describe('routing', () => {
  test('a type without a segmenter is refused with the available types', async () => {
    const error = await rejection(ensemble.segment(imageBytes('small'), { cellType: 'histology' }));
    expect(error.code).toBe('NO_SEGMENTER');
    expect(error.message).toMatch(/histology.*fluorescence/s);
  });

  test('a fallback segments it', async () => {
    const { classifier, segmenters } = ensemble;
    const withFallback = new RoutedEnsemble({
      classifier,
      segmenters: { ...segmenters },
      fallback: 'fluorescence',
    });
    const result = await withFallback.segment(imageBytes('small'), { cellType: 'histology' });
    expect(result.cellType).toBe('histology');
    expect(result.segmenter).toBe('fluorescence');
  });

  test.each([
    [
      'a missing type',
      (s: object) => ({ segmenters: { ...s, histology: undefined } }),
      'segmenters.histology',
    ],
    [
      'an unknown type',
      (s: object) => ({ segmenters: { ...s, fluorescense: null } }),
      'segmenters.fluorescense',
    ],
    [
      'thresholds of an unknown type',
      (s: object) => ({ segmenters: s, thresholds: { astro: {} } }),
      'thresholds.astro',
    ],
    ['a fallback without a segmenter', (s: object) => ({ segmenters: s, fallback: 'histology' }), 'fallback'],
  ])('%s is refused', (_, options, option) => {
    const { classifier, segmenters } = ensemble;
    const error = thrown(() => new RoutedEnsemble({ classifier, ...options({ ...segmenters }) } as never));
    expect(error.code).toBe('ENSEMBLE_INVALID');
    expect(error.details?.option).toBe(option);
  });
});

describe('abort, progress, dispose', () => {
  test('a signal that is already aborted', async () => {
    const reason = new Error('not wanted');
    const signal = AbortSignal.abort(reason);
    await expect(ensemble.segment(imageBytes('small'), { signal })).rejects.toBe(reason);
  });

  test('a signal that is aborted at any moment rejects with its reason, and the next call works', async () => {
    // While the header is read, while the image is decoded, and while the networks run. Not after a time: a fast machine
    // would have finished.
    for (const moment of ['call', 'turn', 'progress']) {
      const stop = new AbortController();
      const reason = new Error(`at the first ${moment}`);
      const onProgress = () => moment === 'progress' && stop.abort(reason);
      const settled = rejection(ensemble.segment(imageBytes('large'), { signal: stop.signal, onProgress }));
      if (moment === 'turn') await new Promise((done) => setImmediate(done));
      if (moment !== 'progress') stop.abort(reason);
      expect(await settled).toBe(reason);
    }
    expect((await ensemble.segment(imageBytes('small'))).cells.length).toBeGreaterThan(0);
  });

  test('a call that ended leaves no listener on the signal', async () => {
    const signal = new AbortController().signal;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    }) as typeof signal.addEventListener;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    }) as typeof signal.removeEventListener;
    await ensemble.segment(imageBytes('small'), { signal });
    expect(listeners).toBe(0);
  });

  test('progress increases to 1 and names its stages', async () => {
    const seen: { stage: string; fraction: number }[] = [];
    await ensemble.segment(imageBytes('large'), { onProgress: (progress) => seen.push(progress) });
    const fractions = seen.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expect(seen.every(({ stage }) => stage.length > 0)).toBe(true);
  });

  const mistake = new Error('in the listener');
  test.each([
    [
      'an error of the progress listener',
      () => {
        throw mistake;
      },
    ],
    ['a rejected promise of the progress listener', async () => Promise.reject(mistake)],
  ])('%s cancels the call, which rejects with it', async (_, onProgress) => {
    const pending = ensemble.segment(imageBytes('large'), { onProgress });
    expect(await rejection(pending)).toBe(mistake);
  });

  test('dispose cancels calls in progress and refuses later ones', async () => {
    const own = await RoutedEnsemble.load(testEnsemble);
    const inFlight = [
      own.segment(imageBytes('large')),
      own.segment(imageBytes('medium')),
      own.classifier.classify(imageBytes('small')),
    ].map(rejectionOrResult);
    await new Promise((done) => setTimeout(done, 30));
    await own.dispose();
    for (const outcome of await Promise.all(inFlight)) {
      if (outcome instanceof Error) expect((outcome as { code?: string }).code).toBe('DISPOSED');
    }
    expect((await rejection(own.segment(imageBytes('small')))).code).toBe('DISPOSED');
    await own.dispose();
  });

  test('await using disposes', async () => {
    let kept: CellSegmenter;
    {
      await using segmenter = await CellSegmenter.load(join(testEnsemble, 'fluorescence.safetensors'));
      kept = segmenter;
    }
    expect((await rejection(kept.segment(imageBytes('small')))).code).toBe('DISPOSED');
  });
});

async function rejectionOrResult(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    return error;
  }
}

describe('save and load', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('a saved ensemble has the same results', async () => {
    const target = join(folder, 'saved');
    await ensemble.save(target, { dtype: 'float16' });
    await using again = await RoutedEnsemble.load(target);
    expect(again.thresholds).toEqual(ensemble.thresholds);
    expect(again.segmenters.histology).toBeNull();
    expect(plain(await again.segment(imageBytes('small')))).toEqual(
      plain(await ensemble.segment(imageBytes('small'))),
    );
  });

  test('a saved ensemble keeps the number formats of its files: same bytes, same results', async () => {
    const [first, second] = [join(folder, 'half'), join(folder, 'half again')];
    await ensemble.save(first, { dtype: 'float16' });
    await using half = await RoutedEnsemble.load(first);
    await half.save(second);
    for (const name of ['classifier.safetensors', 'segmenter-fluorescence.safetensors', 'ensemble.json']) {
      expect(readFileSync(join(second, name)).equals(readFileSync(join(first, name)))).toBe(true);
    }
    await using again = await RoutedEnsemble.load(second);
    expect(plain(await again.segment(imageBytes('small')))).toEqual(
      plain(await half.segment(imageBytes('small'))),
    );
    await half.save(second, { dtype: 'float32' });
    const { segmenters } = await readEnsembleFile(second);
    const { tensors } = await openWeights(join(second, segmenters.fluorescence!.weights));
    // Counters of batch norms are integers.
    expect(new Set(tensors.map(({ dtype }) => dtype))).toEqual(new Set(['F32', 'I64']));
  });

  test('an aborted save keeps what the folder had', async () => {
    const target = join(folder, 'aborted');
    await ensemble.save(target, { dtype: 'float16' });
    const contents = () => readdirSync(target).map((name) => [name, readFileSync(join(target, name), 'hex')]);
    const before = contents();
    const abort = new AbortController();
    const reason = new Error('enough');
    const saving = ensemble.save(target, { dtype: 'float32', signal: abort.signal });
    // Both networks together are written in many turns of the event loop.
    setImmediate(() => abort.abort(reason));
    await expect(saving).rejects.toBe(reason);
    expect(contents()).toEqual(before);
    const alone = join(folder, 'aborted.safetensors');
    for (const member of [ensemble.classifier, ensemble.segmenters.fluorescence!]) {
      await expect(member.save(alone, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    }
    expect(existsSync(alone)).toBe(false);
  });

  test.each(['safetensors', 'pth'])('each tensor keeps its own number format in .%s', async (ending) => {
    const source = join(testEnsemble, 'fluorescence.safetensors');
    const { tensors, metadata } = await openWeights(source);
    const reader = await TensorReader.open(source);
    const formats = ['F16', 'BF16', 'F32'] as const;
    // The old name of a tensor, as files of torchvision before 0.13 have it.
    const oldName = (name: string) => name.replace(/^(backbone\.fpn\.inner_blocks\.\d+)\.0\./, '$1.');
    const mixed = join(folder, 'mixed.safetensors');
    await writeWeights(mixed, {
      tensors: tensors.map((entry, i) =>
        withFloats(sourceOfEntry(reader, entry, oldName(entry.name)), formats[i % 3]!),
      ),
      metadata,
    });
    await reader.close();
    await using segmenter = await CellSegmenter.load(mixed);
    const path = join(folder, `mixed-again.${ending}`);
    await segmenter.save(path);
    const types = async (file: string) =>
      Object.fromEntries((await openWeights(file)).tensors.map(({ name, dtype }) => [name, dtype]));
    const expected = Object.fromEntries(
      tensors.map(({ name, dtype }, i) => [name, dtype === 'I64' ? dtype : formats[i % 3]]),
    );
    expect(await types(path)).toEqual(expected);
    expect(Object.keys(await types(mixed))).not.toEqual(Object.keys(expected));
    await using again = await CellSegmenter.load(path, { config: segmenter.config });
    const [one, other] = await Promise.all(
      [segmenter, again].map((network) => network.segment(imageBytes('small'))),
    );
    expect(one!.cells.masks.toCoco()).toEqual(other!.cells.masks.toCoco());
    expect(one!.cells.scores).toEqual(other!.cells.scores);
  });

  test('a segmenter saved as a torch checkpoint keeps its configuration', async () => {
    const path = join(folder, 'weights.pth');
    const original = ensemble.segmenters.fluorescence!;
    await original.save(path);
    await using again = await CellSegmenter.load(path);
    expect(again.config).toEqual(original.config);
  });

  test('the network of a bare state dict is inferred from shapes and the given configuration', async () => {
    const path = join(folder, 'bare.pth');
    const { tensors } = await openWeights(join(testEnsemble, 'fluorescence.safetensors'));
    const reader = await TensorReader.open(join(testEnsemble, 'fluorescence.safetensors'));
    await writeWeights(path, { tensors: tensors.map((entry) => sourceOfEntry(reader, entry)) });
    await reader.close();
    const { rpn, intensity, imageMean, imageStd, resize, box, classNames, ...told } =
      ensemble.segmenters.fluorescence!.config;
    const { anchorSizes, aspectRatios } = rpn;
    await using again = await CellSegmenter.load(path, {
      config: { rpn: { anchorSizes, aspectRatios }, intensity, imageMean, imageStd, resize, box, classNames },
    });
    expect(again.config).toMatchObject(told);
    const answers = await Promise.all(
      [again, ensemble.segmenters.fluorescence!].map((network) => network.segment(imageBytes('small'))),
    );
    expect(answers[0]!.cells.masks.toCoco()).toEqual(answers[1]!.cells.masks.toCoco());
  });

  test('a network that does not fit is refused with the names of the tensors', async () => {
    const error = await rejection(
      CellSegmenter.load(join(testEnsemble, 'fluorescence.safetensors'), {
        config: { numClasses: 3, classNames: ['a', 'b'] },
      }),
    );
    expect(error.code).toBe('WEIGHTS_MISMATCH');
    expect(error.message).toMatch(/cls_score/);
  });

  test('a classifier is not a segmenter', async () => {
    expect((await rejection(CellSegmenter.load(join(testEnsemble, 'classifier.safetensors')))).code).toBe(
      'WEIGHTS_MISMATCH',
    );
    expect((await rejection(CellClassifier.load(join(testEnsemble, 'fluorescence.safetensors')))).code).toBe(
      'WEIGHTS_MISMATCH',
    );
  });

  const description = JSON.parse(readFileSync(join(testEnsemble, 'ensemble.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const ownThresholds = 'segmenters.fluorescence.thresholds';
  const withThresholds = (thresholds: object) => ({
    ...description,
    segmenters: { fluorescence: { weights: 'not-there.safetensors', thresholds } },
  });
  // None of these folders has weights: the file is refused before a network is loaded.
  test.each([
    ['a name outside the folder', { ...description, classifier: '../classifier.safetensors' }, 'classifier'],
    ['another version', { ...description, version: 2 }, 'version'],
    ['another format', { ...description, format: 'zip' }, 'format'],
    ['an unknown key', { ...description, run: 'this' }, 'run'],
    ['a threshold out of range', withThresholds({ minScore: 7 }), `${ownThresholds}.minScore`],
    ['a threshold of another type', withThresholds({ rpn: 5 }), `${ownThresholds}.rpn`],
    ['an unknown threshold', withThresholds({ minscore: 0.5 }), `${ownThresholds}.minscore`],
    ['a fallback without a segmenter', { ...description, fallback: 'nothing' }, 'fallback'],
  ])('%s in ensemble.json is refused', async (name, content, option) => {
    const bad = mkdtempSync(join(folder, `${name.replaceAll(' ', '-')}-`));
    writeFileSync(join(bad, 'ensemble.json'), JSON.stringify(content));
    const error = await rejection(RoutedEnsemble.load(bad));
    expect(error.code).toBe('ENSEMBLE_INVALID');
    expect(error.details?.option).toBe(option);
    expect(error.details?.file).toBe(join(bad, 'ensemble.json'));
  });

  test('a folder without an ensemble, and an ensemble.json that is not JSON', async () => {
    expect((await rejection(RoutedEnsemble.load(join(folder, 'nowhere')))).code).toBe('FILE_UNREADABLE');
    writeFileSync(join(folder, 'ensemble.json'), '{');
    expect((await rejection(RoutedEnsemble.load(folder))).code).toBe('ENSEMBLE_INVALID');
  });
});

describe('the constructor refuses by its own errors', () => {
  const options = ['classifier', 'segmenters', 'thresholds', 'fallback'] as const;

  test.each(badValues)('%s', (_, value) => {
    const { classifier, segmenters } = ensemble;
    const build = (given: object) => () => new RoutedEnsemble({ classifier, segmenters, ...given } as never);
    // Without its own keys an object is a list of no thresholds.
    const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
    for (const option of options) {
      if (option === 'thresholds' && isEmpty) continue;
      expect(thrown(build({ [option]: value }))).toBeInstanceOf(CellrouteError);
    }
    expect(thrown(() => new RoutedEnsemble(value as never))).toBeInstanceOf(CellrouteError);
  });

  test('a fallback that is a property of every object', () => {
    const { classifier, segmenters } = ensemble;
    expect(thrown(() => new RoutedEnsemble({ classifier, segmenters, fallback: 'toString' }))).toMatchObject({
      code: 'ENSEMBLE_INVALID',
      details: { option: 'fallback' },
    });
  });
});
