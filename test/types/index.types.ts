// Checked by tsc, never run: valid calls, and calls that the compiler must refuse.
import { createReadStream } from 'node:fs';
import { expectTypeOf } from 'expect-type';
import sharp from 'sharp';
import {
  type Cell,
  type CellClassifier,
  type CellrouteError,
  CellSegmenter,
  type Classification,
  type ErrorCode,
  type MaskRCNNConfig,
  type Masks,
  maskRCNNConfig,
  RoutedEnsemble,
  type RoutedSegmentation,
  type Segmentation,
  sartorius,
  streamCocoDataset,
  streamKaggleCsv,
} from '../../lib/index.js';
import { type Transform, transforms } from '../../lib/train.js';

declare const ensemble: RoutedEnsemble;
declare const segmenter: CellSegmenter;
declare const classifier: CellClassifier;
declare const bytes: Buffer;

expectTypeOf(RoutedEnsemble.load()).resolves.toEqualTypeOf<RoutedEnsemble>();
expectTypeOf(ensemble.segment(bytes)).resolves.toEqualTypeOf<RoutedSegmentation>();
expectTypeOf(
  segmenter.segment(bytes, { minScore: 0.5, removeOverlaps: { maxLost: 0.2 } }),
).resolves.toEqualTypeOf<Segmentation>();
expectTypeOf(classifier.classify(bytes)).resolves.toEqualTypeOf<Classification>();
expectTypeOf<RoutedSegmentation>().toExtend<Segmentation>();
expectTypeOf<RoutedSegmentation['cells']>().toExtend<Iterable<Cell>>();
expectTypeOf<Cell['mask']>().toEqualTypeOf<Masks>();
expectTypeOf(maskRCNNConfig({ box: { detectionsPerImage: 539 } })).toEqualTypeOf<MaskRCNNConfig>();
expectTypeOf<MaskRCNNConfig['backbone']['depth']>().toEqualTypeOf<18 | 34 | 50 | 101>();
expectTypeOf<MaskRCNNConfig['intensity']['kind']>().toEqualTypeOf<'type-range' | 'min-max' | 'percentile'>();
expectTypeOf(sartorius.thresholds.minScore).toEqualTypeOf<0.59>();
expectTypeOf<CellrouteError['code']>().toEqualTypeOf<ErrorCode>();
expectTypeOf(transforms.randomCrop({ width: 256, height: 256 })).toExtend<Transform>();
expectTypeOf(transforms.flipHorizontal().kind).toEqualTypeOf<'flip-horizontal'>();
expectTypeOf(transforms.readTransforms([{ kind: 'quarter-turns' }])).toEqualTypeOf<Transform[]>();
// @ts-expect-error a crop needs a size
transforms.randomCrop({ width: 256 });
// @ts-expect-error an unknown method
transforms.resize({ width: 224, height: 224, method: 'zoom' });

ensemble.segment('cells.png').catch(() => {});
ensemble.segment(new URL('file:///cells.png')).catch(() => {});
ensemble.segment(new Blob([bytes])).catch(() => {});
ensemble.segment(new Blob([bytes]).stream()).catch(() => {});
ensemble.segment(createReadStream('cells.png')).catch(() => {});
ensemble.segment(sharp('cells.png')).catch(() => {});
ensemble.segment({ data: new Uint8ClampedArray(16), width: 2, height: 2 }).catch(() => {});
// @ts-expect-error a number is not an image
ensemble.segment(5).catch(() => {});
// @ts-expect-error 64-bit floats are not supported
ensemble.segment({ data: new Float64Array(4), width: 2, height: 2, channels: 1 }).catch(() => {});
// @ts-expect-error five channels are not supported
ensemble.segment({ data: new Uint8Array(20), width: 2, height: 2, channels: 5 }).catch(() => {});
// @ts-expect-error a misspelled option
ensemble.segment(bytes, { minscore: 0.5 }).catch(() => {});
// @ts-expect-error a depth that does not exist
maskRCNNConfig({ backbone: { depth: 19 } });
// @ts-expect-error the constructor is private
new CellSegmenter();
// @ts-expect-error thresholds are read-only
ensemble.thresholds.fluorescence = {};
// @ts-expect-error a segmenter for each type, or null
new RoutedEnsemble({ classifier, segmenters: { fluorescence: 'model.pth' } });

// Every writer is public, and streams accept any iterable.
expectTypeOf(streamCocoDataset([])).toEqualTypeOf<AsyncGenerator<string, void, undefined>>();
expectTypeOf(streamKaggleCsv([])).toEqualTypeOf<AsyncGenerator<string, void, undefined>>();
export async function each(): Promise<void> {
  for await (const { id, result, error } of ensemble.segmentAll(['a.png'], { concurrency: 2 })) {
    expectTypeOf(id).toEqualTypeOf<string>();
    if (error === undefined) expectTypeOf(result).toEqualTypeOf<RoutedSegmentation | undefined>();
  }
}
