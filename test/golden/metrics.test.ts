import { type CocoScores, evaluate } from '../../lib/metrics/index.js';
import { type CocoFound, type CocoGroundTruth, imagesOfCoco } from '../support/coco.js';
import { describeGolden, goldenJson } from '../support/golden.js';

type Numbers = Record<string, number | null>;

interface GoldenMetrics {
  coco_truth: CocoGroundTruth;
  coco_detections: CocoFound[];
  coco: Record<string, Numbers>;
  kaggle: {
    rule: string;
    images: {
      image_id: number;
      predictions: number;
      truths: number;
      precision_at_iou: number[];
      mean: number;
    }[];
    score: number;
  };
}

interface GoldenCases {
  coco_truth: CocoGroundTruth;
  coco_detections: CocoFound[];
  with_boxes: GoldenCase;
  without_boxes: GoldenCase;
}

interface GoldenCase {
  /** Keyed by kind and limit: `segm_maxDets10`. */
  all: Record<string, Numbers>;
  /** Keyed by kind and category, without a limit: `bbox_3`. */
  classes: Record<string, Numbers>;
}

const names: Record<string, keyof CocoScores> = {
  AP: 'ap',
  AP50: 'ap50',
  AP75: 'ap75',
  AR: 'ar',
  APSmall: 'apSmall',
  APMedium: 'apMedium',
  APLarge: 'apLarge',
  ARSmall: 'arSmall',
  ARMedium: 'arMedium',
  ARLarge: 'arLarge',
};

function expectScores(ours: CocoScores, golden: Numbers) {
  expect(Object.keys(golden).length).toBeGreaterThan(0);
  for (const [name, value] of Object.entries(golden)) {
    const own = ours[names[name]!] as number | null;
    if (value === null || own === null) expect([name, own]).toEqual([name, value]);
    else expect(Math.abs(own - value)).toBeLessThan(1e-12);
  }
}

const limitOf = (key: string) => Number(/maxDets(\d+)$/.exec(key)![1]);

describeGolden('metrics of nuclei', { goldens: ['metrics.json'] }, () => {
  const golden = goldenJson<GoldenMetrics>('metrics.json');
  const images = () => imagesOfCoco(golden.coco_truth, golden.coco_detections, true);

  test.each(Object.keys(golden.coco))('COCO %s', async (key) => {
    const limit = limitOf(key);
    const { coco, cocoBoxes } = await evaluate(images(), { maxDets: limit });
    expect(coco.maxDets).toBe(limit);
    expectScores(key.startsWith('bbox') ? cocoBoxes : coco, golden.coco[key]!);
  });

  test('all detections are used without a limit', async () => {
    const all = await evaluate(images());
    const limited = await evaluate(images(), { maxDets: 3 });
    expect(all.coco.maxDets).toBe('all');
    expect(limited.coco.ar!).toBeLessThan(all.coco.ar!);
    expect(limited.kaggle).toEqual(all.kaggle);
  });

  test("the competition's precision of each image", async () => {
    expect(golden.kaggle.rule).toContain('score >= 0.5');
    const { kaggle, perImage, rules } = await evaluate(images(), { minScore: 0.5 });
    expect(rules).toEqual({ minScore: 0.5, removeOverlaps: { maxLost: 1 }, iou: 0.5, maxDets: 'all' });
    expect(perImage).toHaveLength(golden.kaggle.images.length);
    for (const image of golden.kaggle.images) {
      const own = perImage.find(({ id }) => id === String(image.image_id))!;
      expect(own).toMatchObject({ predictions: image.predictions, groundTruths: image.truths });
      expect(own.precisionAtIou).toEqual(image.precision_at_iou);
      expect(Math.abs(own.kaggle - image.mean)).toBeLessThan(1e-15);
    }
    expect(Math.abs(kaggle.mean - golden.kaggle.score)).toBeLessThan(1e-15);
  });
});

describeGolden('metrics of drawn cells', { goldens: ['metrics_cases.json'] }, () => {
  const golden = goldenJson<GoldenCases>('metrics_cases.json');

  describe.each([
    ['separate boxes', 'with_boxes'],
    ['the boxes of their masks', 'without_boxes'],
  ] as const)('with %s', (_title, name) => {
    const images = () => imagesOfCoco(golden.coco_truth, golden.coco_detections, name === 'with_boxes');

    test.each(Object.keys(golden[name].all))('all classes: %s', async (key) => {
      const { coco, cocoBoxes } = await evaluate(images(), { maxDets: limitOf(key) });
      expectScores(key.startsWith('bbox') ? cocoBoxes : coco, golden[name].all[key]!);
    });

    test('each class', async () => {
      const { perClass } = await evaluate(images());
      for (const [key, scores] of Object.entries(golden[name].classes)) {
        const [kind, label] = key.split('_');
        const own = perClass.find((one) => one.label === Number(label));
        if (!own) {
          expect(Object.values(scores).every((value) => value === null)).toBe(true);
          continue;
        }
        expectScores(kind === 'bbox' ? own.cocoBoxes : own.coco, scores);
      }
    });
  });
});
