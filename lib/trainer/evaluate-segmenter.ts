import type { Dataset } from '../data/dataset.js';
import type { LoadedItem } from '../data/types.js';
import { type EvaluatedPicture, type Evaluation, evaluate, metricOf } from '../metrics/index.js';
import { renderComparison } from '../render/comparison.js';
import type { CellSegmenter } from '../segmenter.js';
import type { SegmenterTraining } from './config.js';
import type { Judgement } from './run.js';
import { loadAhead, sheetOf, spread } from './samples.js';

export type SegmenterEvaluation = Evaluation;

const METRICS = ['kaggle', 'ap', 'ap50', 'f1', 'pq', 'aji'] as const;

/** Tries a segmenter on the validation pictures, and keeps some of them to be drawn. */
export function segmenterJudge(data: Dataset, validation: SegmenterTraining['validation']) {
  const { metric, thresholds, pictures, samples } = validation;
  const items = spread(data.items, pictures);
  const drawn = new Set(spread(items, samples));
  return async (segmenter: CellSegmenter, signal?: AbortSignal): Promise<Judgement<SegmenterEvaluation>> => {
    const options = { ...thresholds, ...(signal ? { signal } : {}) };
    const evaluated: EvaluatedPicture[] = [];
    const sheet: { loaded: LoadedItem; picture: EvaluatedPicture }[] = [];
    for await (const { item, loaded } of loadAhead(items, signal)) {
      const { cells } = await segmenter.segment(loaded.image, options);
      const picture: EvaluatedPicture = {
        id: item.id,
        ...(item.type === undefined ? {} : { type: item.type }),
        truth: loaded.masks,
        truthLabels: loaded.labels,
        predicted: cells.masks,
        scores: cells.scores,
        labels: cells.labels,
      };
      evaluated.push(picture);
      if (drawn.has(item)) sheet.push({ loaded, picture });
    }
    const evaluation = await evaluate(evaluated);
    const figures = Object.fromEntries(METRICS.map((name) => [name, metricOf(evaluation, name)]));
    return {
      metric,
      score: figures[metric]!,
      figures,
      evaluation,
      ...(sheet.length > 0 ? { sheet: () => draw(sheet) } : {}),
    };
  };
}

async function draw(sheet: readonly { loaded: LoadedItem; picture: EvaluatedPicture }[]): Promise<Buffer> {
  const pictures: Buffer[] = [];
  for (const { loaded, picture } of sheet) {
    const { id, truth, predicted, scores } = picture;
    pictures.push(
      await renderComparison(loaded.image, truth, { masks: predicted, scores }, { title: id, maxSide: 2048 }),
    );
  }
  return sheetOf(pictures);
}
