import { maskRCNNConfig } from '../../../lib/config/mask-rcnn.js';
import { Dataset } from '../../../lib/data/dataset.js';
import { cellSizes } from '../../../lib/data/diameters.js';
import type { DatasetItem } from '../../../lib/data/types.js';
import { splitHeldOut } from '../../../lib/finetune/context.js';
import { learningRateFor, type RecipeInput, recipeFor, scaleFor } from '../../../lib/finetune/recipe.js';
import { planSteps, replan } from '../../../lib/finetune/schedule.js';
import { segmenterTraining } from '../../../lib/trainer/config.js';
import { secondsPerStepOf } from '../../../lib/trainer/progress.js';

const item = (id: string, areas: readonly number[] = [100], type?: string): DatasetItem => ({
  id,
  cellType: type,
  columns: {},
  width: 64,
  height: 64,
  cells: areas.length,
  areas: Uint32Array.from(areas),
  load: () => Promise.reject(new Error('Sizes are known without loading')),
});

test('the diameter of cells counts each image once', async () => {
  const area = (diameter: number) => Math.round((Math.PI / 4) * diameter ** 2);
  const sizes = (await cellSizes([
    item('a', [area(10), area(10), area(10), area(10), area(40)]),
    item('b', [area(40)]),
    item('empty', []),
  ]))!;
  // The geometric mean of 10 and 40.
  expect(sizes.diameter).toBeCloseTo(20, 0);
  expect(sizes).toMatchObject({ cells: 6, maxPerImage: 5 });
  expect(await cellSizes([item('empty', [])])).toBeUndefined();
});

test('the duration of a step counts steps with fewer images', () => {
  // 5 images in batches of 4 and 1.
  const timed = [1, 4, 1].map((images) => ({ images, seconds: 1.2 * images }));
  expect(secondsPerStepOf(timed, 2.5)).toBeCloseTo(3, 9);
  // Full batches alone: the median, which one slow step does not change.
  const full = [5, 4.8, 90].map((seconds) => ({ images: 4, seconds }));
  expect(secondsPerStepOf(full, 4)).toBeCloseTo(5, 9);
});

test('a fifth is held out, one image at least and twenty at most', () => {
  const of = (count: number) =>
    new Dataset(Array.from({ length: count }, (_, i) => item(`image-${String(i).padStart(3, '0')}`)));
  const heldOut = (count: number) => splitHeldOut(of(count), 3011).validation.items.length;
  expect([2, 3, 5, 10, 20, 40, 100, 400].map(heldOut)).toEqual([1, 1, 1, 2, 4, 8, 20, 20]);
  const { validation, train } = splitHeldOut(of(20), 3011);
  expect(splitHeldOut(of(20), 3011).validation.items.map(({ id }) => id)).toEqual(
    validation.items.map(({ id }) => id),
  );
  expect(new Set([...train.items, ...validation.items].map(({ id }) => id)).size).toBe(20);
});

test('the scale makes cells as large as in the training of the start', () => {
  const start = (diameter: number | null, scale: number | null = 2) =>
    maskRCNNConfig({ resize: { scale }, trainedOn: { diameter } });
  const sizes = { cells: 1, diameter: 16, range: [10, 20], maxPerImage: 1 } as const;
  expect(scaleFor(start(48), sizes)).toBe(3);
  expect(scaleFor(start(8), sizes)).toBe(0.5);
  // A start that does not know keeps its own scale.
  expect(scaleFor(start(null), sizes)).toBe(2);
});

const input: RecipeInput = {
  weights: 'start.safetensors',
  scale: 3,
  startScore: 0.1,
  sizes: { cells: 900, diameter: 16, range: [10, 30], maxPerImage: 700 },
  pixelSize: 0.6,
  steps: 200,
  everySteps: 50,
  precision: 'float32',
  device: 'cpu',
  metric: 'kaggle',
  seed: 1,
};

test('the recipe is a valid configuration, whose samples have the scale of inference', () => {
  const config = segmenterTraining(recipeFor(input));
  expect(config).toMatchObject({ steps: 200, resizeSamples: false, validation: { everySteps: 50 } });
  expect(config.network).toMatchObject({
    resize: { scale: 3 },
    trainedOn: { diameter: 48, pixelSize: 0.2 },
    box: { detectionsPerImage: 1050 },
  });
  const jitter = config.transforms.find(({ kind }) => kind === 'scale-jitter') as {
    min: number;
    max: number;
  };
  expect(jitter.min).toBeLessThan(3);
  expect(jitter.max).toBeGreaterThan(3);
  // A network for few cells keeps room for 500.
  const few = recipeFor({ ...input, sizes: { ...input.sizes, maxPerImage: 20 } });
  expect(few.network).toMatchObject({ box: { detectionsPerImage: 500 } });
});

test('a better start is changed less', () => {
  const rates = [0, 0.2, 0.4, 0.8].map(learningRateFor);
  expect(rates).toEqual([...rates].sort((a, b) => b - a));
  expect(rates[0]!).toBeGreaterThan(rates.at(-1)!);
});

describe('the plan', () => {
  const cost = (
    { steps, everySteps }: { steps: number; everySteps: number },
    step: number,
    evaluation: number,
  ) => steps * step + Math.ceil(steps / everySteps) * evaluation;

  test.each([
    [480, 1.5, 20],
    [480, 0.1, 2],
    [3500, 2, 60],
    [60, 0.5, 30],
  ])(
    'of %d s with steps of %d s and evaluations of %d s keeps the time',
    (seconds, secondsPerStep, evaluation) => {
      const plan = planSteps(seconds, { secondsPerStep, secondsPerEvaluation: evaluation });
      const needed = cost(plan, secondsPerStep, evaluation);
      expect(needed).toBeLessThanOrEqual(seconds);
      // And uses most of it.
      expect(needed).toBeGreaterThan(0.9 * seconds - secondsPerStep - evaluation);
    },
  );

  test('has steps even where there is no time', () => {
    expect(planSteps(1, { secondsPerStep: 5, secondsPerEvaluation: 20 }).steps).toBeGreaterThan(0);
  });

  test('is replaced where the machine became slower or faster, and kept where it did not', () => {
    const plan = { steps: 200, everySteps: 50 };
    const speed = { secondsPerStep: 1, secondsPerEvaluation: 10 };
    // 100 steps and two evaluations.
    expect(replan(plan, { step: 100, secondsLeft: 120 }, speed)).toBeUndefined();
    expect(replan(plan, { step: 100, secondsLeft: 130 }, speed)).toBeUndefined();
    for (const [secondsPerStep, secondsLeft] of [
      [3, 120],
      [0.3, 120],
      [1, 20],
      [1, 0],
    ] as const) {
      const steps = replan(plan, { step: 100, secondsLeft }, { ...speed, secondsPerStep })!;
      expect(steps).toBeGreaterThan(100);
      const needed = cost({ steps: steps - 100, everySteps: 50 }, secondsPerStep, 10);
      expect(needed).toBeLessThanOrEqual(Math.max(secondsLeft, secondsPerStep + 10) + 10);
      // A new plan is kept at the same speed.
      if (secondsLeft > 60) {
        expect(
          replan({ ...plan, steps }, { step: 100, secondsLeft }, { ...speed, secondsPerStep }),
        ).toBeUndefined();
      }
    }
  });

  test('is kept in the first steps, whose speed is a guess', () => {
    const plan = { steps: 200, everySteps: 50 };
    const speed = { secondsPerStep: 10, secondsPerEvaluation: 10 };
    expect(replan(plan, { step: 2, secondsLeft: 100 }, speed)).toBeUndefined();
  });
});
