import { readFileSync } from 'node:fs';
import { maskRCNNConfig } from '../../lib/config/mask-rcnn.js';
import { Masks } from '../../lib/mask/masks.js';
import {
  dataPath,
  describeGolden,
  goldenJson,
  goldenTensors,
  hasGolden,
  toleranceOf,
} from '../support/golden.js';
import { readImage } from '../support/image.js';
import { type Tensor, testing } from '../support/native.js';
import { sampling } from '../support/networks.js';

describeGolden('matcher', { goldens: ['matcher.safetensors'] }, () => {
  test.each([
    ['rpn', { high: 0.7, low: 0.3, allowLowQualityMatches: true }],
    ['roi', { high: 0.5, low: 0.5, allowLowQualityMatches: false }],
  ])('%s', (name, options) => {
    const { tensors } = goldenTensors('matcher.safetensors');
    const { data, shape } = tensors.iou!;
    const matches = testing().match({ data, shape }, options) as Tensor;
    expect(matches.data).toEqual(tensors[name]!.data);
  });
});

interface Result {
  losses: Record<string, number>;
  grad_norms: Record<string, number>;
  /** Missing in older goldens. */
  spread?: { losses: number; grad_norms: number };
}

interface LossesGolden {
  images: string[];
  rows_used_per_image: number;
  min_size: number;
  rpn_pre_nms_top_n: number;
  rpn_post_nms_top_n: number;
  norm_frozen_result: Result;
  norm_batch_result: Result;
}

const LOSSES = 'maskrcnn_r50_losses.json';
const TABLE = 'sartorius/train.csv';
const golden = hasGolden(LOSSES) ? goldenJson<LossesGolden>(LOSSES) : undefined;

/** Ground truth of an image from its first rows in the competition's table. */
function groundTruthOf(image: string, rows: number) {
  const id = image.split('/').at(-1)!.replace('.png', '');
  const cells = readFileSync(dataPath(TABLE), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${id},`))
    .slice(0, rows)
    .map((line) => line.split(','));
  const [, , width, height] = cells[0]!;
  const masks = Masks.fromKaggle(
    cells.map(([, annotation]) => annotation!),
    { width: Number(width), height: Number(height) },
  );
  const labels = { data: new BigInt64Array(masks.length).fill(1n), shape: [masks.length] };
  return { masks: masks.toBatch(), labels };
}

describeGolden(
  'losses and gradients of Mask R-CNN R50-FPN, formula weights',
  { goldens: [LOSSES], images: [...(golden?.images ?? []), TABLE] },
  () => {
    // With batch norms the reference differs by 0.0005 between runs.
    test.each([
      ['frozen-batch', 'norm_frozen_result', 2e-4],
      ['batch', 'norm_batch_result', 1e-3],
    ] as const)('%s norms', async (kind, result, least) => {
      const { images, rows_used_per_image, min_size, rpn_pre_nms_top_n, rpn_post_nms_top_n } = golden!;
      const expected = golden![result];
      const addon = testing();
      const network = addon.createMaskRCNN(
        maskRCNNConfig({ backbone: { norm: { kind } }, resize: { minSize: min_size, maxSize: 1333 } }),
      );
      addon.fillWithFormula(network);
      const { losses, gradNorms } = addon.maskRCNNLosses(
        network,
        await Promise.all(images.map(readImage)),
        images.map((image) => groundTruthOf(image, rows_used_per_image)),
        {
          sampling: {
            ...sampling,
            // All candidates, so that the losses do not depend on random sampling.
            rpnBatchSize: 1e9,
            boxBatchSize: 1e9,
            rpnPreNmsTopN: rpn_pre_nms_top_n,
            rpnPostNmsTopN: rpn_post_nms_top_n,
          },
          trainableLayers: 5,
          updateBatchStatistics: true,
          seed: 1,
        },
      ) as { losses: Record<string, number>; gradNorms: Record<string, number> };

      expect(Object.keys(losses).sort()).toEqual(Object.keys(expected.losses).sort());
      for (const [name, loss] of Object.entries(expected.losses)) {
        expect(Math.abs(losses[name]! / loss - 1)).toBeLessThan(toleranceOf(expected.spread?.losses, 1e-4));
      }
      expect(Object.keys(gradNorms).sort()).toEqual(Object.keys(expected.grad_norms).sort());
      const tolerance = toleranceOf(expected.spread?.grad_norms, least);
      const worse = Object.entries(expected.grad_norms).filter(
        ([name, norm]) => !(Math.abs(gradNorms[name]! / norm - 1) < tolerance),
      );
      expect(worse.map(([name, norm]) => [name, norm, gradNorms[name]])).toEqual([]);
    });
  },
);
