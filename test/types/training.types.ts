// Checked by tsc, never run: valid calls for training, and calls that the compiler must refuse.
import { expectTypeOf } from 'expect-type';
import { compareEvaluations, type Evaluation } from '../../lib/metrics.js';
import {
  type ClassifierEvaluation,
  type ClassifierTrainEvent,
  ClassifierTrainer,
  type Dataset,
  type DatasetParts,
  type EnsembleTrainEvent,
  EnsembleTrainer,
  type SegmenterTrainEvent,
  SegmenterTrainer,
} from '../../lib/train.js';

declare const data: Dataset;
declare const evaluation: Evaluation;
declare const event: SegmenterTrainEvent;
const signal = AbortSignal.timeout(1);

const segmenter = new SegmenterTrainer({
  data,
  validation: data,
  folder: 'runs/a',
  config: {
    network: { backbone: { depth: 18 } },
    start: { kind: 'checkpoint', path: 'coco.pth' },
    optimizer: { kind: 'adamw', beta2: 0.99 },
    schedule: { kind: 'warmup-cosine', warmupSteps: 100 },
    transforms: [{ kind: 'flip-horizontal', p: 0.5 }],
    average: { decay: 0.999 },
    validation: { metric: 'ap50', thresholds: { removeOverlaps: { maxLost: 0.1 } }, patience: 3 },
  },
});
expectTypeOf(segmenter.run({ signal })).toEqualTypeOf<AsyncGenerator<SegmenterTrainEvent, void, undefined>>();
expectTypeOf(SegmenterTrainer.resume('runs/a', { data })).resolves.toEqualTypeOf<SegmenterTrainer>();
expectTypeOf(segmenter.config.precision).toEqualTypeOf<'float32' | 'bfloat16' | 'tf32'>();
expectTypeOf(segmenter.config.optimizer.lr).toEqualTypeOf<number>();

if (event.kind === 'step') {
  expectTypeOf(event.losses.loss_mask).toEqualTypeOf<number>();
  // @ts-expect-error a classifier's loss
  event.losses.loss;
} else if (event.kind === 'validation') {
  expectTypeOf(event.evaluation.kaggle.mean).toEqualTypeOf<number>();
} else if (event.kind === 'stop') {
  expectTypeOf(event.reason).toEqualTypeOf<'finished' | 'early-stopping' | 'aborted'>();
}

const classifier = new ClassifierTrainer({ data, folder: 'b', config: { classWeights: 'balanced' } });
expectTypeOf(classifier.run()).toEqualTypeOf<AsyncGenerator<ClassifierTrainEvent, void, undefined>>();
expectTypeOf<
  Extract<ClassifierTrainEvent, { kind: 'validation' }>['evaluation']
>().toEqualTypeOf<ClassifierEvaluation>();

const ensemble = new EnsembleTrainer({ data, folder: 'c', config: { segmenters: { astro: { steps: 10 } } } });
expectTypeOf(ensemble.run()).toEqualTypeOf<AsyncGenerator<EnsembleTrainEvent, void, undefined>>();

// @ts-expect-error a path is not a data set
new SegmenterTrainer({ data: 'train.csv', folder: 'd' });
// @ts-expect-error a metric of classifiers
new SegmenterTrainer({ data, folder: 'd', config: { validation: { metric: 'accuracy' } } });
// @ts-expect-error a misspelled option
new SegmenterTrainer({ data, folder: 'd', config: { batchsize: 2 } });
// @ts-expect-error the folder of the run is missing
new ClassifierTrainer({ data });

expectTypeOf(data.folds({ count: 3, seed: 1 })).toEqualTypeOf<DatasetParts[]>();
expectTypeOf(compareEvaluations(evaluation, evaluation).interval).toEqualTypeOf<readonly [number, number]>();
// @ts-expect-error AP is not a mean over images
compareEvaluations(evaluation, evaluation, { metric: 'ap50' });
// @ts-expect-error the seed is missing
data.folds({ count: 3 });
