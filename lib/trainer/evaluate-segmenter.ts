import type { Dataset } from '../data/dataset.js';
import type { LoadedItem } from '../data/types.js';
import { defined } from '../defined.js';
import type { Cells } from '../inference/cells.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import { type EvaluatedImage, type Evaluation, evaluate, METRIC_NAMES, metricOf } from '../metrics/index.js';
import type { Canvas } from '../render/canvas.js';
import { drawForSheet } from '../render/comparison.js';
import type { SegmenterTraining } from './config.js';
import { loadAhead, sheetOf, spread } from './samples.js';
import type { ValidationResult } from './task.js';

/** Evaluation of a segmenter. */
export type SegmenterEvaluation = Evaluation;

/** Evaluates a segmenter on the validation images; some of them are drawn. */
export function segmenterValidator(data: Dataset, validation: SegmenterTraining['validation']) {
  const { metric, thresholds, images, samples } = validation;
  const { minScore, removeOverlaps, ...masks } = thresholds;
  const rules = { minScore, removeOverlaps };
  const items = spread(data.items, images);
  const drawn = new Set(spread(items, samples));
  return async (
    segmenter: CellSegmenter,
    signal?: AbortSignal,
  ): Promise<ValidationResult<SegmenterEvaluation>> => {
    const evaluated: EvaluatedImage[] = [];
    const sheet: Sample[] = [];
    for await (const { item, loaded } of loadAhead(items, signal)) {
      const scale = defined({ scale: item.scale });
      // Average precision needs predictions of every score; the other metrics apply the thresholds themselves.
      const { cells } = await segmenter.segment(loaded.image, { ...masks, ...scale, minScore: 0, signal });
      evaluated.push({
        id: item.id,
        cellType: item.cellType,
        groundTruth: loaded.masks,
        groundTruthLabels: loaded.labels,
        predicted: cells.masks,
        scores: cells.scores,
        labels: cells.labels,
      });
      if (!drawn.has(item)) continue;
      const shown = await segmenter.segment(loaded.image, { ...thresholds, ...scale, signal });
      sheet.push({ id: item.id, loaded, cells: shown.cells });
    }
    const evaluation = await evaluate(evaluated, { ...rules, signal });
    const figures = Object.fromEntries(METRIC_NAMES.map((name) => [name, metricOf(evaluation, name)]));
    return {
      metric,
      score: figures[metric]!,
      figures,
      evaluation,
      sheet: sheet.length > 0 ? () => draw(sheet) : undefined,
    };
  };
}

interface Sample {
  id: string;
  loaded: LoadedItem;
  cells: Cells;
}

async function draw(sheet: readonly Sample[]): Promise<Buffer> {
  const images: Canvas[] = [];
  for (const { id, loaded, cells } of sheet) {
    images.push(await drawForSheet(loaded.image, loaded.masks, cells, { title: id, maxSide: 2048 }));
  }
  return sheetOf(images, 1);
}
