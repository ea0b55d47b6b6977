import { join } from 'node:path';
import sharp from 'sharp';
import { classifierConfig } from '../../lib/config/classifier.js';
import { explanationJson } from '../../lib/export/explanation-json.js';
import { CellClassifier } from '../../lib/inference/classifier.js';
import { type ExplainOptions, Explanation } from '../../lib/inference/explanation.js';
import { blurred } from '../../lib/render/blur.js';
import { type HeatMapOptions, renderHeatMap } from '../../lib/render/heat-map.js';
import { imageBytes, rejection, testEnsemble } from '../support/sdk.js';
import { random } from '../support/weights.js';

let router: CellClassifier;
beforeAll(async () => {
  router = await CellClassifier.load(join(testEnsemble, 'classifier.safetensors'));
});
afterAll(() => router.dispose());

const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);

/** A normalised input of noise with strong low frequencies. */
function noise(width: number, height: number) {
  const next = random(5);
  const data = Float32Array.from({ length: 3 * width * height }, () => next() * 3 - 1.5);
  return { data: blurred(data, width, 3 * height, 1), shape: [3, height, width] };
}

describe('integrated gradients', () => {
  test.each(['mean', 'black'] as const)(
    'sum to the difference of the logits, with smaller errors for more steps, from %s',
    async (baseline) => {
      const target = router.config.classNames[1]!;
      for (const steps of [4, 16, 32]) {
        const explanation = await router.explainTensor(noise(36, 33), { target, baseline, steps });
        const difference = explanation.logits[target]! - explanation.baselineLogits[target]!;
        expect(Math.abs(sum(explanation.values) - difference)).toBeLessThan(
          1e-3 + Math.abs(difference) / steps,
        );
      }
    },
  );

  test('of an image have the logits of classify', async () => {
    const { cellType, logits } = await router.classify(imageBytes('small'));
    const explanation = await router.explain(imageBytes('small'), { steps: 32 });
    expect(explanation.method).toBe('integrated-gradients');
    expect(explanation.target).toBe(cellType);
    expect(Object.values(explanation.logits)).toEqual(Array.from(logits));
    const difference = explanation.logits[cellType]! - explanation.baselineLogits[cellType]!;
    expect(Math.abs(sum(explanation.values) / difference - 1)).toBeLessThan(0.1);
    const { resize } = router.config;
    expect([explanation.width, explanation.height]).toEqual([resize!.width, resize!.height]);
    expect(explanation.values).toHaveLength(resize!.width * resize!.height);
  });
});

describe('occlusion', () => {
  test('equals classifying with one covered square after the other', async () => {
    const [width, height, patch, stride] = [45, 38, 13, 8];
    const input = noise(width, height);
    const target = router.config.classNames[1]!;
    const options: ExplainOptions = { method: 'occlusion', target, patch, stride };
    const { values } = await router.explainTensor(input, options);
    const logit = async (data: Float32Array) =>
      (await router.classifyTensor({ data, shape: input.shape })).logits[1]!;
    const whole = await logit(input.data);
    const falls = new Float64Array(width * height);
    const times = new Float64Array(width * height);
    for (let top = 0; top === 0 || top + patch - stride < height; top += stride) {
      for (let left = 0; left === 0 || left + patch - stride < width; left += stride) {
        const covered = input.data.slice();
        const each = (visit: (at: number) => void) => {
          for (let y = top; y < Math.min(top + patch, height); y++) {
            for (let x = left; x < Math.min(left + patch, width); x++) visit(y * width + x);
          }
        };
        each((at) => {
          for (let channel = 0; channel < 3; channel++) covered[channel * width * height + at] = 0;
        });
        const fall = whole - (await logit(covered));
        each((at) => {
          falls[at]! += fall;
          times[at]!++;
        });
      }
    }
    expect(Math.min(...times)).toBeGreaterThan(0);
    const largest = Math.max(...values.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    for (let i = 0; i < values.length; i++) {
      expect(Math.abs(values[i]! - falls[i]! / times[i]!)).toBeLessThan(1e-4 * largest + 1e-5);
    }
  });
});

describe('an explanation', () => {
  test('does not change the network', async () => {
    const before = await router.classify(imageBytes('small'));
    for (const method of ['integrated-gradients', 'occlusion', 'grad-cam'] as const) {
      await router.explain(imageBytes('small'), { method, steps: 2, patch: 112 });
    }
    expect(await router.classify(imageBytes('small'))).toEqual(before);
  });

  test('reports progress and stops between two steps', async () => {
    const stop = new AbortController();
    const fractions: number[] = [];
    const work = router.explain(imageBytes('small'), {
      steps: 10_000,
      signal: stop.signal,
      onProgress: ({ stage, fraction }) => {
        fractions.push(fraction);
        if (stage === 'integrated gradients') stop.abort('enough');
      },
    });
    await expect(work).rejects.toBe('enough');
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)!).toBeLessThan(0.5);
  });

  test('covers the network input: the centre of a cropped image', async () => {
    const [width, height] = [500, 300];
    const grey = Uint8Array.from({ length: width * height }, (_, i) => (i * 7919) % 251);
    const other = grey.map((value, i) => {
      const x = i % width;
      return x >= 100 && x < 400 ? value : 255 - value;
    });
    const explain = (data: Uint8Array) => router.explain({ data, width, height, channels: 1 }, { steps: 2 });
    const [one, two] = [await explain(grey), await explain(other)];
    expect(one.region).toEqual({ x: 100, y: 0, width: 300, height: 300 });
    expect(two.values).toEqual(one.values);
    const mapped = one.toImage();
    expect(mapped).toHaveLength(width * height);
    const outside = mapped.filter((_, i) => i % width < 100 || i % width >= 400);
    expect(outside.every((value) => value === 0)).toBe(true);
    expect(mapped.some((value) => value !== 0)).toBe(true);
  });

  test.each<[string, object, RegExp]>([
    ['a method', { method: 'lime' }, /'grad-cam' for method/],
    ['a class', { target: 'yeast' }, /one of .* for target .*yeast/],
    ['no steps', { steps: 0 }, /from 1 to 10000 for steps/],
    ['steps in part', { steps: 1.5 }, /an integer/],
    ['squares that leave gaps', { patch: 10, stride: 11 }, /from 1 to 10 for stride/],
    ['a baseline', { baseline: 'white' }, /'mean', 'black'/],
    ['a misspelling', { step: 3 }, /did you mean steps/],
  ])('%s is refused', async (_name, options, message) => {
    const error = await rejection(router.explain(imageBytes('small'), options as ExplainOptions));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  test('of a value that is no tensor is refused', async () => {
    for (const work of [router.explainTensor(null as never), router.classifyTensor(null as never)]) {
      expect(await rejection(work)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: 'input' } });
    }
  });

  test('with a disposed classifier is refused', async () => {
    const other = await CellClassifier.load(join(testEnsemble, 'classifier.safetensors'));
    await other.dispose();
    expect((await rejection(other.explain(imageBytes('small')))).code).toBe('DISPOSED');
  });
});

/** An explanation of an image of its own size, or of another that is squished. */
function made(values: number[], width: number, image = { width, height: values.length / width }) {
  const height = values.length / width;
  const config = classifierConfig({
    classNames: ['a', 'b'],
    resize: image.width === width ? null : { width, height, method: 'squish' },
  });
  const logits = Float32Array.of(1, 0);
  const native = {
    target: 0,
    width,
    height,
    values: Float32Array.from(values),
    logits,
    baselineLogits: logits,
  };
  return new Explanation('occlusion', native, config, image);
}

test('explanationJson has everything of an explanation', async () => {
  const explanation = await router.explainTensor(noise(40, 30), { method: 'occlusion' });
  const json = JSON.parse(explanationJson(explanation));
  const { values, logits, baselineLogits, ...rest } = json;
  const { method, target, image, region, width, height } = explanation;
  expect(rest).toEqual({
    ...{ format: 'cellroute-explanation', version: 1 },
    ...{ method, target, image, region, width, height },
  });
  expect(Float32Array.from(values)).toEqual(explanation.values);
  for (const name of router.config.classNames) {
    expect(Math.fround(logits[name])).toBe(explanation.logits[name]);
    expect(Math.fround(baselineLogits[name])).toBe(explanation.baselineLogits[name]);
  }
});

describe('values of an image', () => {
  test('equal those of the input for equal sizes', () => {
    const values = [1, 2, 3, 4, 5, 6];
    expect(Array.from(made(values, 3).toImage())).toEqual(values);
  });

  test('are interpolated between the centres of its pixels', () => {
    const mapped = made([0, 4], 2, { width: 8, height: 1 }).toImage();
    expect(Array.from(mapped)).toEqual([0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]);
  });

  test('have the probability of the class', () => {
    expect(made([0], 1).probability).toBeCloseTo(1 / (1 + Math.exp(-1)), 12);
  });
});

describe('blurring', () => {
  test('keeps constants, and spreads a point by the given radius', () => {
    expect(Array.from(blurred(new Float32Array(35).fill(3), 7, 5, 2))).toEqual(new Array(35).fill(3));
    const [side, sigma] = [61, 4];
    const point = new Float32Array(side * side);
    point[30 * side + 30] = 1;
    const spread = blurred(point, side, side, sigma);
    let total = 0;
    let variance = 0;
    spread.forEach((value, i) => {
      total += value;
      variance += value * ((i % side) - 30) ** 2;
    });
    expect(total).toBeCloseTo(1, 4);
    expect(Math.sqrt(variance)).toBeGreaterThan(0.85 * sigma);
    expect(Math.sqrt(variance)).toBeLessThan(1.15 * sigma);
    expect(spread[30 * side + 33]).toBeCloseTo(spread[33 * side + 30]!, 6);
  });
});

describe('a heat map', () => {
  const grey = (width: number, height: number) =>
    ({ data: new Uint8Array(width * height).fill(100), width, height, channels: 1 }) as const;
  const draw = async (explanation: Explanation, options: HeatMapOptions = {}) => {
    const { width, height } = explanation.image;
    const png = await renderHeatMap(grey(width, height), explanation, { title: false, ...options });
    const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) =>
      Array.from(data.subarray(3 * (y * info.width + x)).subarray(0, 3)) as [number, number, number];
    return { at, ...info };
  };

  test('is warm for supporting, cold for opposing pixels, and unchanged elsewhere', async () => {
    const values = new Array(1000 * 2).fill(0);
    values.fill(2, 0, 300);
    values.fill(-2, 700, 1000);
    const { at } = await draw(made(values, 1000));
    const [warm, none, cold] = [at(10, 0), at(500, 0), at(990, 0)];
    expect(warm[0] - warm[2]).toBeGreaterThan(60);
    expect(none).toEqual([100, 100, 100]);
    expect(cold[2] - cold[0]).toBeGreaterThan(60);
    expect(at(10, 1)).toEqual([100, 100, 100]);
  });

  test('of one pixel, of zeros, and with a title', async () => {
    const { width, height } = await draw(made([0], 1), { title: true, maxSide: 500 });
    expect(width).toBe(500);
    expect(height).toBeGreaterThan(500);
  });

  test('fits maxSide', async () => {
    const { width, height } = await draw(made(new Array(20_000).fill(1), 200), { maxSide: 100 });
    expect([width, height]).toEqual([100, 50]);
  });

  test('of another image is refused', async () => {
    await expect(renderHeatMap(grey(3, 3), made([1], 1))).rejects.toThrow(/1 × 1.*3 × 3/);
    await expect(renderHeatMap(grey(1, 1), {} as Explanation)).rejects.toThrow(/an Explanation/);
  });
});
