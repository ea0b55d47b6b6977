import { maskRCNNConfig } from '../../../lib/config/mask-rcnn.js';
import type { TrainSample } from '../../../lib/data/types.js';
import { ClassifierNetwork, SegmenterNetwork } from '../../../lib/trainer/network.js';
import { writeWeights } from '../../../lib/weights/write.js';
import {
  bytesOfAll,
  differing,
  options,
  sampling,
  squares,
  step,
  texture,
  tinyClassifier,
  tinyMaskRCNN,
} from '../../support/networks.js';
import { rejection } from '../../support/sdk.js';
import { tinySegmenter } from '../../support/synthetic.js';
import { temporaryFolder } from '../../support/weights.js';

const temporary = temporaryFolder();

const segmenter = (over: Partial<typeof options> = {}, kind?: Parameters<typeof tinyMaskRCNN>[0]) =>
  SegmenterNetwork.create(tinyMaskRCNN(kind), { ...options, sampling, ...over });
const classifier = (over: Partial<typeof options> = {}, head?: 'linear' | 'concat-pool') =>
  ClassifierNetwork.create(tinyClassifier(head), { ...options, classWeights: [], ...over });

const images = (seed: number): TrainSample[] => [squares(seed), squares(seed + 1, 96, 6)];
const textures = (seed: number) => [0, 1, 2, 0, 1, 2].map((label, i) => texture(seed * 10 + i, label));

/** A network of either kind, and its training samples. */
const kinds = {
  segmenter: async (over: Partial<typeof options> = {}) => ({
    network: await segmenter(over),
    samples: (seed: number) => images(seed) as never[],
  }),
  classifier: async (over: Partial<typeof options> = {}) => ({
    network: await classifier(over, 'concat-pool'),
    samples: (seed: number) => textures(seed) as never[],
  }),
};

describe.each(Object.entries(kinds))('a %s in training', (name, make) => {
  const adamw = { kind: 'adamw', weightDecay: 0.01, beta2: 0.99, eps: 1e-8 } as const;

  test.each([
    ['sgd', options.optimizer],
    ['adamw', adamw],
  ] as const)('restored from a file it continues bit by bit, with %s', async (kind, optimizer) => {
    const { network, samples } = await make({ optimizer });
    for (let i = 0; i < 3; i++) expect((await network.step(samples(i), step(i))).applied).toBe(true);
    const path = temporary(`${name}-${kind}.safetensors`);
    await writeWeights(path, { tensors: network.tensors() });
    // Another seed: none of its state may remain.
    const { network: restored } = await make({ optimizer, seed: 99 });
    await restored.restore(path);
    const results = [];
    for (const one of [network, restored]) {
      for (let i = 3; i < 5; i++) results.push(await one.step(samples(i), step(i)));
    }
    expect(results.slice(2)).toEqual(results.slice(0, 2));
    expect(differing(await bytesOfAll(network.tensors()), await bytesOfAll(restored.tensors()))).toEqual([]);
    await network.dispose();
    await restored.dispose();
  });

  test('equal seeds give equal networks, different seeds different ones', async () => {
    const states = [];
    for (const [seed, first] of [
      [1, 1],
      [1, 1],
      [2, 1],
    ] as const) {
      const { network, samples } = await make({ seed });
      await network.step(samples(first), step(first));
      states.push(await bytesOfAll(network.tensors()));
      await network.dispose();
    }
    expect(differing(states[0]!, states[1]!)).toEqual([]);
    expect(differing(states[0]!, states[2]!).length).toBeGreaterThan(0);
  });

  test('a step with non-finite gradients changes nothing', async () => {
    const { network, samples } = await make();
    await network.step(samples(0), step(0));
    const before = await bytesOfAll(network.tensors());
    const bad = samples(1) as unknown[] as { pixels: Float32Array }[];
    bad[1]!.pixels = bad[1]!.pixels.map((value, i) => (i === 77 ? Number.NaN : value));
    const result = await network.step(bad as never[], step(1));
    expect(result.applied).toBe(false);
    expect(result.gradNorm).toBeNaN();
    expect(differing(before, await bytesOfAll(network.tensors()))).toEqual([]);
    expect(await network.step(samples(1), step(1))).toMatchObject({ applied: true });
    await network.dispose();
  });

  test('an aborted step is complete, or has changed nothing', async () => {
    const { network, samples } = await make();
    const { network: twin } = await make();
    const reason = new Error('enough');
    // Whichever moment an abort meets; native/test/trainer_test.cc stops at every one of them.
    for (const [i, wait] of [0, 1, 2, 4, 8, 16, 32].entries()) {
      const before = await bytesOfAll(network.tensors());
      const controller = new AbortController();
      const running = network.step(samples(i), step(i), { signal: controller.signal });
      const timer = setTimeout(() => controller.abort(reason), wait);
      const outcome = await running.catch((error: unknown) => error);
      clearTimeout(timer);
      if (outcome === reason) {
        expect(differing(before, await bytesOfAll(network.tensors()))).toEqual([]);
      } else {
        expect(outcome).toEqual(await twin.step(samples(i), step(i)));
        expect(differing(await bytesOfAll(twin.tensors()), await bytesOfAll(network.tensors()))).toEqual([]);
      }
    }
    await network.dispose();
    await twin.dispose();
  });

  test('reports its stages, and does not start after an abort', async () => {
    const { network, samples } = await make();
    const stages = new Set<string>();
    await network.step(samples(0), step(0), { onProgress: ({ stage }) => stages.add(stage) });
    expect(stages.size).toBeGreaterThan(0);
    const controller = new AbortController();
    controller.abort(new Error('at once'));
    await expect(network.step(samples(1), step(1), { signal: controller.signal })).rejects.toThrow('at once');
    await network.dispose();
  });

  test('snapshots are separate networks with the current weights, or their average', async () => {
    const { network, samples } = await make({ averageDecay: 0.5 });
    await network.step(samples(0), step(0));
    const state = await bytesOfAll(network.tensors());
    const [current, average] = [await network.snapshot('current'), await network.snapshot('average')];
    await network.step(samples(1), step(1));
    await network.dispose();
    for (const [snapshot, prefix] of [
      [current, 'model.'],
      [average, 'average.'],
    ] as const) {
      const path = temporary(`${name}-${prefix}safetensors`);
      await snapshot.save(path);
      const { network: read } = await make();
      const report = await read.start(path);
      expect(report.initialized).toEqual([]);
      const tensors = await bytesOfAll(read.tensors());
      for (const key of report.loaded) expect(tensors.get(`model.${key}`)).toEqual(state.get(prefix + key));
      await read.dispose();
      await snapshot.dispose();
    }
  });

  test('a snapshot of the average is refused if none is kept', async () => {
    const { network } = await make({ averageDecay: null });
    expect((await rejection(network.snapshot('average'))).code).toBe('INVALID_ARGUMENT');
    expect(network.tensors().some(({ name }) => name.startsWith('average.'))).toBe(false);
    await network.dispose();
  });

  test('a state of another network is refused, and the network cannot be used afterwards', async () => {
    const { network, samples } = await make();
    const path = temporary(`${name}-cut.safetensors`);
    const tensors = network.tensors();
    await writeWeights(path, { tensors: tensors.slice(1) });
    const error = await rejection(network.restore(path));
    expect(error.code).toBe('WEIGHTS_MISMATCH');
    expect(error.message).toContain(`${tensors[0]!.name} is missing`);
    expect((await rejection(network.step(samples(0), step(0)))).code).toBe('INVALID_ARGUMENT');
    const rounded = temporary(`${name}-rounded.safetensors`);
    await writeWeights(rounded, { tensors, floats: 'F16' });
    expect((await rejection(network.restore(rounded))).code).toBe('WEIGHTS_MISMATCH');
    const whole = temporary(`${name}-whole.safetensors`);
    await writeWeights(whole, { tensors });
    await network.restore(whole);
    expect((await network.step(samples(0), step(0))).applied).toBe(true);
    await network.dispose();
  });

  test('a disposed network refuses calls', async () => {
    const { network, samples } = await make();
    const started = temporary(`${name}-disposed.safetensors`);
    await using snapshot = await network.snapshot('current');
    await snapshot.save(started);
    const running = network.step(samples(0), step(0)).catch((error: unknown) => error);
    await network.dispose();
    const outcome = await running;
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'DISPOSED' });
    for (const use of [
      () => network.step(samples(0), step(0)),
      () => network.snapshot('current'),
      () => network.start(started),
    ]) {
      expect((await rejection(use())).code).toBe('DISPOSED');
    }
    await network.dispose();
  });
});

describe('a classifier', () => {
  test('learns to distinguish textures, reproducibly', async () => {
    const train = async (steps: number) => {
      const network = await classifier({ averageDecay: 0.9 });
      const losses: number[] = [];
      for (let i = 0; i < steps; i++)
        losses.push((await network.step(textures(i), step(i, { lr: 0.02 }))).losses.loss!);
      return { network, losses };
    };
    const { network, losses } = await train(80);
    const last = losses.slice(-5).reduce((sum, loss) => sum + loss / 5, 0);
    expect(last).toBeLessThan(0.1 * losses[0]!);
    const snapshot = await network.snapshot('current');
    const right = [];
    for (const { pixels, width, height, label } of textures(1000)) {
      const mean = [0.485, 0.456, 0.406];
      const std = [0.229, 0.224, 0.225];
      const plane = width * height;
      const data = pixels.map(
        (value, i) => (value - mean[Math.floor(i / plane)]!) / std[Math.floor(i / plane)]!,
      );
      const { index } = await snapshot.classifyTensor({ data, shape: [3, height, width] });
      right.push(index === label);
    }
    expect(right).toEqual(right.map(() => true));
    await snapshot.dispose();
    await network.dispose();

    const again = await train(10);
    expect(again.losses).toEqual(losses.slice(0, 10));
    await again.network.dispose();
  });

  test('trains with a batch of one, which has no variance between rows', async () => {
    const network = await classifier({}, 'concat-pool');
    expect((await network.step([texture(1, 0, 64)], step(1))).applied).toBe(true);
    expect((await network.step(textures(1), step(2))).applied).toBe(true);
    await network.dispose();
  });

  test('trains with one image whose last map has one value per channel', async () => {
    const network = await classifier();
    const before = await bytesOfAll(network.tensors());
    expect((await network.step([texture(1, 0)], step(1))).applied).toBe(true);
    const changed = differing(before, await bytesOfAll(network.tensors()));
    expect(changed).toContain('model.layer3.0.bn1.running_mean');
    // Without a variance, the running statistics are used and kept.
    expect(changed).not.toContain('model.layer4.0.bn1.running_mean');
    expect(changed).toContain('model.layer4.0.bn1.weight');
    await network.dispose();
  });

  test('refuses invalid batches', async () => {
    const network = await classifier();
    const good = texture(1, 0);
    const refusals: [unknown[], RegExp][] = [
      [[], /samples/],
      [[{ ...good, label: 3 }], /samples\[0\]\.label/],
      [[{ ...good, label: -1 }], /samples\[0\]\.label/],
      [[good, texture(1, 0, 40)], /samples\[1\]/],
      [[{ ...good, pixels: good.pixels.subarray(1) }], /samples\[0\]\.pixels/],
      [[{ ...good, pixels: Float64Array.from(good.pixels) }], /samples\[0\]\.pixels/],
    ];
    for (const [samples, message] of refusals) {
      const error = await rejection(network.step(samples as never[], step(1)));
      expect(error.code).toBe('INVALID_ARGUMENT');
      expect(error.message).toMatch(message);
    }
    for (const over of [{ lr: Number.NaN }, { momentum: 1 }, { maxGradNorm: 0 }, { seed: 0.5 }]) {
      expect((await rejection(network.step([good], step(1, over)))).message).toContain(Object.keys(over)[0]);
    }
    await network.dispose();
  });
});

describe('a segmenter', () => {
  test('trains with one image of 20 × 20 pixels, whose last map has one value per channel', async () => {
    const network = await SegmenterNetwork.create(maskRCNNConfig(tinySegmenter), { ...options, sampling });
    expect((await network.step([squares(1, 20, 1)], step(1))).applied).toBe(true);
    await network.dispose();
  });

  test('has the five losses, also for images without cells and cells of one pixel', async () => {
    const network = await segmenter();
    const names = ['loss_box_reg', 'loss_classifier', 'loss_mask', 'loss_objectness', 'loss_rpn_box_reg'];
    const empty = {
      ...squares(1, 64, 1),
      masks: { width: 64, height: 64, counts: new Uint32Array(), offsets: new Uint32Array(1) },
      labels: new Int32Array(),
    };
    const pixel = {
      ...squares(2, 64, 1),
      masks: { width: 64, height: 64, counts: Uint32Array.of(100, 1, 3995), offsets: Uint32Array.of(0, 3) },
    };
    for (const samples of [[empty], [pixel], [empty, pixel, squares(3)]]) {
      const result = await network.step(samples, step(1, { lr: 0.001 }));
      expect(Object.keys(result.losses).sort()).toEqual(names);
      expect(result.applied).toBe(true);
    }
    await network.dispose();
  });

  test.each([
    ['frozen-batch', 20],
    ['batch', 20],
    ['group', 30],
  ] as const)('its losses decrease with %s norms', async (kind, steps) => {
    const network = await segmenter({}, kind);
    const totals: number[] = [];
    for (let i = 0; i < steps; i++) {
      const { losses } = await network.step([squares(1), squares(2)], step(i));
      totals.push(Object.values(losses).reduce((sum, loss) => sum + loss));
    }
    const mean = (some: number[]) => some.reduce((sum, value) => sum + value) / some.length;
    expect(mean(totals.slice(-5))).toBeLessThan(0.6 * mean(totals.slice(0, 3)));
    await network.dispose();
  });

  test('refuses masks and labels that do not fit the images and classes', async () => {
    const network = await segmenter();
    const good = squares(1);
    const nothing = { ...good.masks, counts: Uint32Array.of(4096), offsets: Uint32Array.of(0, 1) };
    const refusals: [unknown, RegExp][] = [
      [{ ...good, labels: Int32Array.of(1, 2, 3, 1) }, /samples\[0\]\.labels\[2\]/],
      [{ ...good, labels: Int32Array.of(0, 2, 2, 1) }, /samples\[0\]\.labels\[0\]/],
      [{ ...good, labels: Int32Array.of(1) }, /samples\[0\]\.labels/],
      [{ ...good, masks: squares(1, 48).masks }, /masks of 64 x 64 pixels for samples\[0\]\.masks/],
      [{ ...good, masks: nothing, labels: Int32Array.of(1) }, /samples\[0\].*no pixels/],
      [{ ...good, pixels: good.pixels.subarray(3) }, /samples\[0\]\.pixels/],
    ];
    for (const [sample, message] of refusals) {
      const error = await rejection(network.step([sample as TrainSample], step(1)));
      expect(error.message).toMatch(message);
      expect(error.code).toBe('INVALID_ARGUMENT');
    }
    await network.dispose();
  });

  test('starts from a checkpoint with other heads, and reports loaded, initialized and skipped tensors', async () => {
    const other = await SegmenterNetwork.create(tinyMaskRCNN('batch', 7), { ...options, sampling, seed: 5 });
    const source = await bytesOfAll(other.tensors());
    const path = temporary('coco.safetensors');
    const snapshot = await other.snapshot('current');
    await snapshot.save(path);
    const network = await segmenter();
    const { loaded, initialized, skipped } = await network.start(path);
    const heads = [
      'roi_heads.box_predictor.cls_score',
      'roi_heads.box_predictor.bbox_pred',
      'roi_heads.mask_predictor.mask_fcn_logits',
    ];
    expect(initialized.sort()).toEqual(heads.flatMap((head) => [`${head}.bias`, `${head}.weight`]).sort());
    expect(skipped).toHaveLength(6);
    for (const sentence of skipped) expect(sentence).toMatch(/: the file has \[.*\], the network \[/);
    const state = await bytesOfAll(network.tensors());
    for (const name of loaded) {
      expect(state.get(`model.${name}`)).toEqual(source.get(`model.${name}`));
      // The average starts from the same weights.
      expect(state.get(`average.${name}`)).toEqual(source.get(`model.${name}`));
    }
    for (const one of [other, network, snapshot]) await one.dispose();
  });

  test('starts from a network of other layers only on request', async () => {
    const file = temporary('other-layers.safetensors');
    const config = maskRCNNConfig({ ...tinyMaskRCNN('batch', 2), mask: { channels: [8, 8], hidden: 8 } });
    const other = await SegmenterNetwork.create(config, { ...options, sampling });
    const snapshot = await other.snapshot('current');
    await snapshot.save(file);
    const network = await segmenter();
    const error = await rejection(network.start(file));
    expect(error).toMatchObject({ code: 'WEIGHTS_MISMATCH' });
    expect(error.message).toMatch(/roi_heads\.mask_head.*\n/);
    expect(error.message).toMatch(/start\.partial/);
    const { loaded, skipped } = await network.start(file, { partial: true });
    expect(loaded).toContain('backbone.body.conv1.weight');
    expect(skipped.length).toBeGreaterThan(0);
    for (const one of [other, network, snapshot]) await one.dispose();
  });

  test("starts from a classifier's backbone", async () => {
    const router = await classifier({ seed: 7 });
    const source = await bytesOfAll(router.tensors());
    const path = temporary('router.safetensors');
    const snapshot = await router.snapshot('current');
    await snapshot.save(path);
    const network = await segmenter();
    const { loaded, initialized, skipped } = await network.startFromClassifier(path);
    expect(loaded.every((name) => name.startsWith('backbone.body.'))).toBe(true);
    expect(initialized.every((name) => !name.startsWith('backbone.body.'))).toBe(true);
    // This segmenter's backbone ends with layer3.
    expect(skipped.every((sentence) => /^backbone\.body\.(layer4|fc)\b/.test(sentence))).toBe(true);
    const state = await bytesOfAll(network.tensors());
    for (const name of loaded) {
      expect(state.get(`model.${name}`)).toEqual(source.get(`model.${name.replace('backbone.body.', '')}`));
    }
    const error = await rejection(network.start(path));
    expect(error.code).toBe('WEIGHTS_MISMATCH');
    for (const one of [router, network, snapshot]) await one.dispose();
  });

  test('its snapshot finds the learned cells', async () => {
    const network = await SegmenterNetwork.create(tinyMaskRCNN('batch', 2), { ...options, sampling });
    const sample = { ...squares(3, 64, 1), labels: Int32Array.of(1) };
    for (let i = 0; i < 150; i++) await network.step([sample], step(i, { lr: 0.02, maxGradNorm: 5 }));
    const snapshot = await network.snapshot('current');
    const pixels = Float32Array.from(
      { length: 3 * 64 * 64 },
      (_, i) => sample.pixels[(i % 3) * 4096 + Math.floor(i / 3)]!,
    );
    const { cells } = await snapshot.segment(
      { data: pixels, width: 64, height: 64, channels: 3 },
      { minScore: 0.3 },
    );
    expect(cells.length).toBeGreaterThan(0);
    await snapshot.dispose();
    await network.dispose();
  });
});
