import { Masks } from '../../lib/mask/masks.js';
import {
  type EvaluatedImage,
  evaluate,
  IOU_THRESHOLDS,
  METRIC_NAMES,
  metricOf,
} from '../../lib/metrics/index.js';

const size = { width: 48, height: 40 };

/** Pseudo-random numbers that are the same in every run. */
function randomSource(seed: number) {
  let state = seed;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

type Dense = Uint8Array;
const areaOf = (mask: Dense) => mask.reduce((sum, pixel) => sum + pixel, 0);
const masksOf = (cells: readonly Dense[]) =>
  Masks.encode(Buffer.concat(cells), { ...size, count: cells.length });

function ellipse(random: () => number): Dense {
  const mask = new Uint8Array(size.width * size.height);
  const [cx, cy] = [random() * size.width, random() * size.height];
  const [rx, ry] = [1 + random() * 10, 1 + random() * 10];
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      if (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1) mask[y * size.width + x] = 1;
    }
  }
  return mask;
}

const moved = (mask: Dense, by: number) => {
  const copy = new Uint8Array(mask.length);
  copy.set(mask.subarray(0, mask.length - by), by);
  return copy;
};

interface DenseImage {
  groundTruth: Dense[];
  groundTruthLabels: number[];
  crowd: boolean[];
  predicted: Dense[];
  labels: number[];
  scores: number[];
}

function drawImage(seed: number, crowds: boolean): DenseImage {
  const random = randomSource(seed);
  const pick = (n: number) => Math.floor(random() * n);
  const groundTruth = Array.from({ length: pick(9) }, () => ellipse(random)).filter(
    (mask) => areaOf(mask) > 0,
  );
  const predicted = [
    ...groundTruth.filter(() => random() < 0.8).map((mask) => moved(mask, pick(4))),
    ...groundTruth.filter(() => random() < 0.3).map((mask) => moved(mask, pick(2))),
    ...Array.from({ length: pick(4) }, () => ellipse(random)),
  ];
  return {
    groundTruth,
    groundTruthLabels: groundTruth.map(() => 1 + pick(2)),
    crowd: groundTruth.map(() => crowds && random() < 0.3),
    predicted,
    labels: predicted.map(() => 1 + pick(2)),
    scores: predicted.map(() => pick(10) / 10),
  };
}

const evaluated = (
  id: string,
  { groundTruth, groundTruthLabels, predicted, ...rest }: DenseImage,
): EvaluatedImage => ({
  id,
  groundTruth: masksOf(groundTruth),
  groundTruthLabels,
  predicted: masksOf(predicted),
  ...rest,
});

// Slow reference implementation.

const shared = (a: Dense, b: Dense) => a.reduce((sum, pixel, i) => sum + (pixel & b[i]!), 0);
const iouOf = (a: Dense, b: Dense) => shared(a, b) / (areaOf(a) + areaOf(b) - shared(a, b) || 1);

/** By descending score; later ones lose the pixels of earlier ones. */
function keptOf({ predicted, scores, labels }: DenseImage, minScore: number, overlaps: boolean) {
  const taken = new Uint8Array(size.width * size.height);
  const order = scores
    .map((_, i) => i)
    .filter((i) => scores[i]! >= minScore)
    .sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order
    .map((i) => {
      const mask = predicted[i]!.map((pixel, k) => (overlaps || !taken[k] ? pixel : 0));
      mask.forEach((pixel, k) => {
        taken[k]! |= pixel;
      });
      return { mask, label: labels[i]! };
    })
    .filter(({ mask }) => areaOf(mask) > 0);
}

/** Maximum number of pairs of rows and columns above a limit, and their largest sum, by exhaustive search. */
function bestPairs(ious: number[][], allowed: (i: number, j: number) => boolean) {
  const columns = ious[0]?.length ?? 0;
  const memo = new Map<string, { count: number; sum: number; rows: number[] }>();
  const from = (row: number, used: number): { count: number; sum: number; rows: number[] } => {
    if (row === ious.length) return { count: 0, sum: 0, rows: [] };
    const key = `${row} ${used}`;
    const known = memo.get(key);
    if (known) return known;
    let best = from(row + 1, used);
    for (let j = 0; j < columns; j++) {
      if (used & (1 << j) || !allowed(row, j)) continue;
      const rest = from(row + 1, used | (1 << j));
      const with_ = { count: rest.count + 1, sum: rest.sum + ious[row]![j]!, rows: [row, ...rest.rows] };
      if (with_.count > best.count || (with_.count === best.count && with_.sum > best.sum)) best = with_;
    }
    memo.set(key, best);
    return best;
  };
  return from(0, 0);
}

function slowScores(image: DenseImage, { minScore = 0, overlaps = false, iou = 0.5 } = {}) {
  const kept = keptOf(image, minScore, overlaps);
  const groundTruths = image.groundTruth
    .map((mask, i) => ({ mask, label: image.groundTruthLabels[i]! }))
    .filter((_, i) => !image.crowd[i]);
  const crowds = image.groundTruth.filter((_, i) => image.crowd[i]);
  const inCrowd = kept.map(({ mask }) => crowds.some((crowd) => shared(mask, crowd) / areaOf(mask) > 0.5));
  const ious = kept.map(({ mask }) => groundTruths.map((groundTruth) => iouOf(mask, groundTruth.mask)));

  const precisionAtIou = Array.from({ length: 10 }, (_, t) => {
    const threshold = 0.5 + 0.05 * t;
    const hits = ious.filter((row) => row.some((value) => value > threshold)).length;
    const wrong = ious.filter((row, i) => !inCrowd[i] && !row.some((value) => value > threshold)).length;
    const missed = groundTruths.filter((_, j) => !ious.some((row) => row[j]! > threshold)).length;
    return hits + wrong + missed === 0 ? 1 : hits / (hits + wrong + missed);
  });

  const pairs = bestPairs(ious, (i, j) => ious[i]![j]! >= iou);
  const hit = new Set(pairs.rows);
  const truePositives = pairs.count;
  const falsePositives = kept.filter((_, i) => !hit.has(i) && !inCrowd[i]).length;

  const same = (i: number, j: number) => kept[i]!.label === groundTruths[j]!.label && ious[i]![j]! > 0.5;
  const matched = bestPairs(ious, same);
  const matchedRows = new Set(matched.rows);
  const perLabel = [1, 2].flatMap((label) => {
    const own = bestPairs(ious, (i, j) => same(i, j) && kept[i]!.label === label);
    const fp = kept.filter((one, i) => one.label === label && !matchedRows.has(i) && !inCrowd[i]).length;
    const fn = groundTruths.filter((one) => one.label === label).length - own.count;
    return own.count + fp + fn === 0 ? [] : [own.sum / (own.count + fp / 2 + fn / 2)];
  });
  const pq = perLabel.length === 0 ? 1 : perLabel.reduce((a, b) => a + b) / perLabel.length;

  const chosen = new Set<number>();
  let [common, together] = [0, 0];
  groundTruths.forEach((groundTruth, j) => {
    const column = ious.map((row) => row[j]!);
    const best = Math.max(0, ...column);
    if (best === 0) {
      together += areaOf(groundTruth.mask);
      return;
    }
    const i = column.indexOf(best);
    chosen.add(i);
    common += shared(kept[i]!.mask, groundTruth.mask);
    together += areaOf(kept[i]!.mask) + areaOf(groundTruth.mask) - shared(kept[i]!.mask, groundTruth.mask);
  });
  kept.forEach(({ mask }, i) => {
    if (!chosen.has(i) && !inCrowd[i]) together += areaOf(mask);
  });
  return {
    precisionAtIou,
    truePositives,
    falsePositives,
    falseNegatives: groundTruths.length - truePositives,
    pq,
    aji: together === 0 ? 1 : common / together,
  };
}

describe('against dense masks', () => {
  test.each([
    ['without overlaps', {}, {}, false],
    ['with crowds', {}, {}, true],
    ['with overlaps', { removeOverlaps: false }, { overlaps: true }, true],
    ['above a score', { minScore: 0.4 }, { minScore: 0.4 }, true],
    ['at an IoU of 0.2', { iou: 0.2, removeOverlaps: false }, { iou: 0.2, overlaps: true }, false],
  ] as const)('precision, F1, PQ and AJI of every image %s', async (_name, options, slow, crowds) => {
    const images = Array.from({ length: 30 }, (_, i) => drawImage(100 + i, crowds));
    const { perImage, kaggle, aji, f1 } = await evaluate(
      images.map((image, i) => evaluated(`${i}`, image)),
      options,
    );
    const slowly = images.map((image) => slowScores(image, slow));
    perImage.forEach((own, i) => {
      const { precisionAtIou, pq, aji: slowAji, ...counts } = slowly[i]!;
      expect(own).toMatchObject(counts);
      own.precisionAtIou.forEach((value, t) => {
        expect(value).toBeCloseTo(precisionAtIou[t]!, 12);
      });
      expect(own.pq).toBeCloseTo(pq, 12);
      expect(own.aji).toBeCloseTo(slowAji, 12);
      expect(own.countError).toBe(counts.truePositives + counts.falsePositives - own.groundTruths);
    });
    const mean = (of: (scores: (typeof slowly)[number]) => number) =>
      slowly.reduce((sum, scores) => sum + of(scores), 0) / slowly.length;
    kaggle.precisionAtIou.forEach((value, t) => {
      expect(value).toBeCloseTo(
        mean((scores) => scores.precisionAtIou[t]!),
        12,
      );
    });
    expect(aji).toBeCloseTo(
      mean((scores) => scores.aji),
      12,
    );
    expect(f1.truePositives).toBe(slowly.reduce((sum, { truePositives }) => sum + truePositives, 0));
  });
});

const square = (x: number, y: number, side: number): Dense => {
  const mask = new Uint8Array(size.width * size.height);
  for (let row = y; row < y + side; row++) mask.fill(1, row * size.width + x, row * size.width + x + side);
  return mask;
};
const image = (id: string, groundTruth: Dense[], predicted: Dense[], more: Partial<EvaluatedImage> = {}) => ({
  id,
  groundTruth: masksOf(groundTruth),
  predicted: masksOf(predicted),
  scores: predicted.map((_, i) => 1 - i / 100),
  ...more,
});
const none: Dense[] = [];

describe('special cases', () => {
  test('perfect predictions have 1 for all metrics', async () => {
    const cells = [square(2, 2, 5), square(20, 20, 9)];
    const evaluation = await evaluate([image('a', cells, cells)]);
    for (const name of METRIC_NAMES) expect(metricOf(evaluation, name)).toBeCloseTo(1, 12);
    expect(evaluation).toMatchObject({
      images: 1,
      groundTruths: 2,
      predictions: 2,
      coco: { ap: expect.closeTo(1), ar: 1, apSmall: expect.closeTo(1), apLarge: null, maxDets: 'all' },
      cocoBoxes: { ap: expect.closeTo(1) },
      f1: { precision: 1, recall: 1, f1: 1, truePositives: 2, falsePositives: 0, falseNegatives: 0 },
      panoptic: { pq: 1, sq: 1, rq: 1 },
      countError: { mean: 0, meanAbsolute: 0, relative: 0 },
    });
    expect(evaluation.intervals).toBeUndefined();
    expect(evaluation.perCellType).toBeUndefined();
  });

  test('no ground truth and no predictions: ratios are 1, COCO is undefined', async () => {
    const evaluation = await evaluate([image('a', none, none)]);
    expect(evaluation).toMatchObject({
      kaggle: { mean: 1 },
      coco: { ap: null, ap50: null, ar: null },
      f1: { precision: 1, recall: 1, f1: 1 },
      panoptic: { pq: 1 },
      aji: 1,
      countError: { mean: 0, relative: null },
      perClass: [],
      perImage: [{ kaggle: 1, f1: 1, precision: 1, recall: 1, pq: 1, aji: 1 }],
    });
    expect(metricOf(evaluation, 'ap')).toBeNaN();
    expect(JSON.parse(JSON.stringify(evaluation))).toEqual(evaluation);
  });

  test.each<[string, Dense[], Dense[], number]>([
    ['nothing found', [square(1, 1, 4)], [], -1],
    ['nothing to find', [], [square(1, 1, 4)], 1],
  ])('%s: 0 everywhere', async (_name, groundTruth, predicted, error) => {
    const evaluation = await evaluate([image('a', groundTruth, predicted)]);
    for (const name of ['kaggle', 'f1', 'pq', 'aji'] as const) expect(metricOf(evaluation, name)).toBe(0);
    expect(evaluation.coco.ap).toBe(groundTruth.length > 0 ? 0 : null);
    expect(evaluation.f1).toMatchObject({ precision: 0, recall: 0 });
    expect(evaluation.countError.mean).toBe(error);
  });

  test('an IoU equal to a threshold is a match for COCO and F1, but not for the competition and PQ', async () => {
    // 6 of 12 pixels.
    const [a, b] = [square(0, 0, 3), square(0, 1, 3)];
    expect(masksOf([a]).iou(masksOf([b]))[0]).toBe(0.5);
    const evaluation = await evaluate([image('a', [a], [b])]);
    expect(evaluation).toMatchObject({
      kaggle: { mean: 0 },
      coco: { ap50: expect.closeTo(1), ap75: 0 },
      f1: { f1: 1 },
      panoptic: { pq: 0 },
    });
  });

  test('empty predictions count only for COCO', async () => {
    const cells = [square(2, 2, 5)];
    const empty = new Uint8Array(size.width * size.height);
    const evaluation = await evaluate([image('a', cells, [...cells, empty], { scores: [0.5, 0.9] })]);
    expect(evaluation).toMatchObject({ predictions: 1, kaggle: { mean: 1 } });
    expect(evaluation.coco.ap!).toBeCloseTo(0.5, 12);
  });

  test('a prediction in a crowd is ignored', async () => {
    const crowd = square(20, 10, 12);
    const evaluation = await evaluate([
      image('a', [square(1, 1, 5), crowd], [square(1, 1, 5), square(22, 12, 4)], { crowd: [0, 1] }),
    ]);
    expect(evaluation).toMatchObject({
      groundTruths: 1,
      predictions: 1,
      aji: 1,
      f1: { f1: 1 },
      panoptic: { pq: 1 },
    });
    expect(evaluation.coco.ap!).toBeCloseTo(1, 12);
    expect(evaluation.kaggle.mean).toBe(1);
  });

  test('classes affect only COCO and panoptic quality', async () => {
    const cells = [square(2, 2, 5), square(20, 20, 9)];
    const evaluation = await evaluate([
      image('a', cells, cells, { groundTruthLabels: [1, 2], labels: [1, 1] }),
    ]);
    expect(evaluation.kaggle.mean).toBe(1);
    expect(evaluation.f1.f1).toBe(1);
    expect(evaluation.perClass).toMatchObject([
      { label: 1, groundTruths: 1, coco: { ap: expect.closeTo(1) }, panoptic: { rq: expect.closeTo(2 / 3) } },
      { label: 2, groundTruths: 1, coco: { ap: 0 }, panoptic: { pq: 0 } },
    ]);
    expect(evaluation.coco.ap!).toBeCloseTo(0.5, 12);
    expect(evaluation.panoptic.pq).toBeCloseTo(1 / 3, 12);
  });

  test('shared pixels go to the higher-scored prediction; one that loses more than its share is dropped', async () => {
    const cells = [square(0, 0, 10)];
    // The second loses half of its pixels to the first.
    const half = square(0, 5, 10);
    const of = async (removeOverlaps: boolean | { maxLost: number }) =>
      (await evaluate([image('a', cells, [...cells, half])], { removeOverlaps })).predictions;
    expect(await of(true)).toBe(2);
    expect(await of({ maxLost: 0.5 })).toBe(2);
    expect(await of({ maxLost: 0.4 })).toBe(1);
    expect(await of(false)).toBe(2);
    const { rules } = await evaluate([image('a', cells, cells)], { removeOverlaps: false, maxDets: 7 });
    expect(rules).toEqual({ minScore: null, removeOverlaps: false, iou: 0.5, maxDets: 7 });
  });

  test('thousands of separate cells', async () => {
    const wide = { width: 1200, height: 1200 };
    const labels = new Uint16Array(wide.width * wide.height);
    for (let y = 0; y < wide.height; y++) {
      for (let x = 0; x < wide.width; x++) {
        if (x % 12 < 10 && y % 12 < 10) {
          labels[y * wide.width + x] = 1 + Math.floor(y / 12) * 100 + Math.floor(x / 12);
        }
      }
    }
    const { masks } = Masks.fromLabels(labels, wide);
    expect(masks).toHaveLength(10_000);
    const scores = new Float32Array(10_000).fill(0.5);
    const evaluation = await evaluate([{ id: 'a', groundTruth: masks, predicted: masks, scores }]);
    expect(evaluation.groundTruths).toBe(10_000);
    for (const name of METRIC_NAMES) expect(metricOf(evaluation, name)).toBeCloseTo(1, 12);
  });
});

describe('tables and intervals', () => {
  const images = Array.from({ length: 12 }, (_, i) => ({
    ...evaluated(`p${i}`, drawImage(500 + i, true)),
    ...(i === 11 ? {} : { cellType: i % 2 === 0 ? 'even' : 'odd' }),
  }));

  test('each type is what its images are by themselves', async () => {
    const { perCellType, perImage } = await evaluate(images);
    expect(Object.keys(perCellType!)).toEqual(['even', 'odd']);
    const even = await evaluate(images.filter(({ cellType }) => cellType === 'even'));
    const { rules: _r, perClass: _c, perImage: _p, perCellType: _t, ...own } = even;
    expect(perCellType!.even).toEqual(own);
    expect(perImage.map(({ id, cellType }) => [id, cellType])).toEqual(
      images.map(({ id, cellType }) => [id, cellType]),
    );
  });

  test('intervals depend only on the seed and contain their metric', async () => {
    const run = (seed: number, threads: string) => {
      process.env.CELLROUTE_THREADS = threads;
      return evaluate(images, { bootstrap: { samples: 200, seed } }).finally(() => {
        delete process.env.CELLROUTE_THREADS;
      });
    };
    const first = await run(7, '1');
    expect(await run(7, '4')).toEqual(first);
    expect((await run(8, '4')).intervals).not.toEqual(first.intervals);
    const { samples, seed, confidence, precisionAtIou, ...intervals } = first.intervals!;
    expect([samples, seed, confidence]).toEqual([200, 7, 0.95]);
    expect(precisionAtIou).toHaveLength(IOU_THRESHOLDS.length);
    for (const interval of Object.values(intervals)) expect(interval![0]).toBeLessThanOrEqual(interval![1]);
    for (const name of METRIC_NAMES) {
      const [low, high] = intervals[name]!;
      expect(metricOf(first, name)).toBeGreaterThanOrEqual(low);
      expect(metricOf(first, name)).toBeLessThanOrEqual(high);
    }
    expect(first.perCellType!.odd!.intervals!.kaggle![0]).toBeLessThan(first.perCellType!.odd!.kaggle.mean);
  });

  test('the interval of a mean over images equals that of resampled image values', async () => {
    const samples = 4000;
    const { perImage, intervals } = await evaluate(images, { bootstrap: { samples, seed: 3 } });
    const random = randomSource(99);
    const means = Array.from({ length: samples }, () => {
      const drawn = perImage.map(() => perImage[Math.floor(random() * perImage.length)]!.kaggle);
      return drawn.reduce((a, b) => a + b) / drawn.length;
    }).sort((a, b) => a - b);
    const [low, high] = intervals!.kaggle!;
    const width = means[Math.floor(0.975 * samples)]! - means[Math.floor(0.025 * samples)]!;
    expect(Math.abs(low - means[Math.floor(0.025 * samples)]!)).toBeLessThan(0.1 * width);
    expect(Math.abs(high - means[Math.floor(0.975 * samples)]!)).toBeLessThan(0.1 * width);
  });
});

describe('invalid arguments and cancellation', () => {
  const good = () => image('a', [square(1, 1, 4)], [square(1, 1, 4)]);

  test.each<[string, object, string]>([
    ['a score that is not a number', { scores: [Number.NaN] }, 'images[0].scores[0]'],
    ['an infinite score', { scores: new Float32Array([Number.POSITIVE_INFINITY]) }, 'images[0].scores[0]'],
    ['too few scores', { scores: [] }, 'images[0].scores'],
    ['no scores', { scores: undefined }, 'images[0].scores'],
    ['a label between classes', { labels: [1.5] }, 'images[0].labels[0]'],
    ['ground truth that is no masks', { groundTruth: [] }, 'images[0].groundTruth'],
    [
      'predictions of another size',
      { predicted: Masks.fromCoco([], { width: 3, height: 3 }), scores: [] },
      'images[0].predicted',
    ],
    ['half a box', { boxes: [1, 2] }, 'images[0].boxes'],
    ['too many crowds', { crowd: [0, 1] }, 'images[0].crowd'],
    ['no id', { id: '' }, 'images[0].id'],
    ['a misspelling', { groundTruthLabel: [1] }, 'images[0].groundTruthLabel'],
  ])('refuses %s', async (_name, change, option) => {
    await expect(evaluate([{ ...good(), ...change } as EvaluatedImage])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { option },
    });
  });

  test.each<[string, object, string]>([
    ['minScore', { minScore: Number.NaN }, 'minScore'],
    ['iou', { iou: 0 }, 'iou'],
    ['maxDets', { maxDets: 0 }, 'maxDets'],
    ['maxLost', { removeOverlaps: { maxLost: 2 } }, 'removeOverlaps.maxLost'],
    ['removeOverlaps', { removeOverlaps: 'yes' }, 'removeOverlaps'],
    ['samples', { bootstrap: { samples: 1 } }, 'bootstrap.samples'],
    ['confidence', { bootstrap: { samples: 10, confidence: 1 } }, 'bootstrap.confidence'],
    ['an unknown option', { maxdet: 3 }, 'maxdet'],
  ])('refuses %s', async (_name, options, option) => {
    await expect(evaluate([good()], options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { option },
    });
  });

  test('refuses no images, a duplicate id, and an unknown metric', async () => {
    await expect(evaluate([])).rejects.toMatchObject({ details: { option: 'images' } });
    await expect(evaluate([good(), good()])).rejects.toMatchObject({ details: { option: 'images[1].id' } });
    const evaluation = await evaluate([good()]);
    expect(() => metricOf(evaluation, 'map' as never)).toThrow(/one of 'kaggle'/);
  });

  const many = () => Array.from({ length: 40 }, (_, i) => evaluated(`${i}`, drawImage(i, false)));

  test('an abort stops it, before and while it runs', async () => {
    const reason = new Error('enough');
    await expect(evaluate(many(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const stop = new AbortController();
    const running = evaluate(many(), { signal: stop.signal, bootstrap: { samples: 1_000_000 } });
    setTimeout(() => stop.abort(reason), 20);
    await expect(running).rejects.toBe(reason);
  });

  test('reports progress; an error of the listener stops it', async () => {
    const fractions: number[] = [];
    await evaluate(many(), {
      bootstrap: { samples: 20_000 },
      onProgress: ({ stage, fraction }) => {
        expect(stage).toBe('evaluate');
        fractions.push(fraction);
      },
    });
    expect(fractions.at(-1)).toBeCloseTo(1, 9);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    const fault = new Error('mine');
    const broken = evaluate(many(), {
      bootstrap: { samples: 1_000_000 },
      onProgress: () => {
        throw fault;
      },
    });
    await expect(broken).rejects.toBe(fault);
  });

  test('concurrent calls do not block the event loop', async () => {
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const options = { bootstrap: { samples: 5_000 } };
    const [a, b] = await Promise.all([evaluate(many(), options), evaluate(many(), options)]);
    counting = false;
    expect(a).toEqual(b);
    // Work on this thread leaves none: its promises are settled in the turn in which it started.
    expect(turns).toBeGreaterThan(0);
  });
});
