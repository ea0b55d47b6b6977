import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { random } from '../../../lib/data/random.js';
import { choleskyOf, dot, fullMatrix, solve } from '../../../lib/ensembles/cholesky.js';
import { discriminantLayer } from '../../../lib/ensembles/discriminant.js';
import type { LastLayer } from '../../../lib/inference/router-body.js';
import { MomentSums, readStatistics, writeStatistics } from '../../../lib/inference/router-statistics.js';
import { writeWeights } from '../../../lib/weights/write.js';
import { refusal } from '../../support/refusal.js';

const temporary = mkdtempSync(join(tmpdir(), 'cellroute-statistics-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** Gaussian samples about `mean`, whose values are mixed so that they are correlated. */
function samples(seed: number, count: number, mean: readonly number[]): Float32Array[] {
  const draw = random(seed, 'samples');
  return Array.from({ length: count }, () => {
    let before = 0;
    return Float32Array.from(mean, (value) => {
      before = 0.5 * before + draw.normal();
      return value + before;
    });
  });
}

const statisticsOf = (embeddings: readonly Float32Array[]) => {
  const sums = new MomentSums(embeddings[0]!.length);
  for (const embedding of embeddings) sums.add(embedding);
  return sums.statistics();
};

const winner = ({ weight, bias, size }: LastLayer, x: Float32Array): number => {
  const logits = Array.from(bias!, (b, k) =>
    x.reduce((sum, value, i) => sum + value * weight[k * size + i]!, b),
  );
  return logits.indexOf(Math.max(...logits));
};

test('means and covariances are those of the definition', () => {
  // Far from 0, where a sum of squares would lose its digits.
  const embeddings = samples(1, 40, [1000, -5, 0, 3]);
  const { images, mean, covariance } = statisticsOf(embeddings);
  expect(images).toBe(40);
  const expected = [0, 1, 2, 3].map((i) => embeddings.reduce((sum, x) => sum + x[i]!, 0) / 40);
  for (const [i, value] of expected.entries()) expect(mean[i]).toBeCloseTo(value, 9);
  const full = fullMatrix(covariance, 4);
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 4; j++) {
      const value =
        embeddings.reduce((sum, x) => sum + (x[i]! - expected[i]!) * (x[j]! - expected[j]!), 0) / 40;
      expect(full[4 * i + j]).toBeCloseTo(value, 9);
    }
  }
});

test("Cholesky's factor solves the equation", () => {
  const matrix = fullMatrix(statisticsOf(samples(2, 60, [0, 0, 0, 0, 0, 0])).covariance, 6);
  const b = Float64Array.of(1, -2, 3, 0, 5, -1);
  const x = solve(choleskyOf(matrix, 6), b);
  for (let row = 0; row < 6; row++) {
    expect(dot(matrix.subarray(6 * row, 6 * row + 6), x)).toBeCloseTo(b[row]!, 9);
  }
  expect(() => choleskyOf(Float64Array.of(1, 2, 2, 1), 2)).toThrow(/not positive definite/);
});

describe('the discriminant', () => {
  const means = [
    [0, 0, 0],
    [6, 0, 0],
    [0, 6, 6],
  ];

  test('names samples that it has not seen', () => {
    const layer = discriminantLayer(means.map((mean, k) => statisticsOf(samples(10 + k, 50, mean))));
    for (const [k, mean] of means.entries()) {
      const right = samples(20 + k, 100, mean).filter((x) => winner(layer, x) === k).length;
      expect(right).toBeGreaterThanOrEqual(97);
    }
  });

  test('decides between two types in the middle of their means', () => {
    const layer = discriminantLayer(means.slice(0, 2).map((mean, k) => statisticsOf(samples(k, 400, mean))));
    const [a, b] = [0, 1].map((k) => statisticsOf(samples(k, 400, means[k]!)).mean);
    const middle = Float32Array.from(a!, (value, i) => (value + b![i]!) / 2);
    const difference = [0, 1].map(
      (k) => layer.bias![k]! + middle.reduce((sum, x, i) => sum + x * layer.weight[k * 3 + i]!, 0),
    );
    expect(difference[0]).toBeCloseTo(difference[1]!, 4);
  });

  test('is defined for few images, one image and embeddings that are all equal', () => {
    for (const count of [1, 2, 5]) {
      const types = means.map((mean, k) => statisticsOf(samples(k, count, mean)));
      const layer = discriminantLayer(types);
      for (const [k, { mean }] of types.entries()) {
        expect(winner(layer, Float32Array.from(mean))).toBe(k);
      }
    }
    const equal = statisticsOf([Float32Array.of(1, 1), Float32Array.of(1, 1)]);
    const layer = discriminantLayer([equal, equal]);
    expect([...layer.weight, ...layer.bias!].every(Number.isFinite)).toBe(true);
  });
});

describe('a file of statistics', () => {
  const types = new Map([
    ['astro', statisticsOf(samples(1, 9, [1, 2, 3]))],
    ['__proto__', statisticsOf(samples(2, 4, [3, 2, 1]))],
  ]);
  const path = join(temporary, 'statistics.safetensors');
  beforeAll(() => writeStatistics(path, { router: 'abc', types }));

  test('is read as it was written, in float32', async () => {
    const found = await readStatistics(path);
    expect(found.router).toBe('abc');
    expect([...found.types.keys()]).toEqual(['astro', '__proto__']);
    for (const [name, { images, mean, covariance }] of found.types) {
      const written = types.get(name)!;
      expect(images).toBe(written.images);
      expect(mean).toEqual(written.mean.map(Math.fround));
      expect(covariance).toEqual(written.covariance.map(Math.fround));
    }
  });

  test.each([
    ['without a description', {}, {}],
    ['of another version', { version: 2 }, {}],
    ['without types', { types: 3 }, {}],
    [
      'with a type that has no tensors',
      {
        types: [
          { name: 'a', images: 2 },
          { name: 'b', images: 2 },
        ],
      },
      {},
    ],
    ['with a number of images below 1', { types: [{ name: 'a', images: 0 }] }, {}],
    ['with a covariance of another size', {}, { '0.covariance': 5 }],
    ['with values that are not finite', {}, { '0.mean': Number.NaN }],
  ])('%s is refused', async (name, over, tensors) => {
    const sizes = { '0.mean': 2, '0.covariance': 3, ...tensors };
    const file = join(temporary, `${name}.safetensors`);
    const description = { version: 1, router: 'abc', types: [{ name: 'a', images: 2 }], ...over };
    await writeWeights(file, {
      tensors: Object.entries(sizes).map(([tensor, size]) => {
        const values = Number.isNaN(size) ? Float32Array.of(1, Number.NaN) : new Float32Array(size);
        return {
          name: tensor,
          dtype: 'F32' as const,
          shape: [values.length],
          read: () => new Uint8Array(values.buffer),
        };
      }),
      metadata:
        name === 'without a description' ? {} : { 'cellroute.statistics': JSON.stringify(description) },
    });
    const error = await refusal(readStatistics(file));
    expect(error).toMatchObject({ code: 'ENSEMBLE_INVALID', details: { file } });
  });

  test('that is cut off is refused', async () => {
    const file = join(temporary, 'cut.safetensors');
    writeFileSync(file, readFileSync(path).subarray(0, -8));
    expect((await refusal(readStatistics(file))).code).toBe('WEIGHTS_DAMAGED');
  });
});
