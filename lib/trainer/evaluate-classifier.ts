import type { Dataset } from '../data/dataset.js';
import { decodeImage } from '../image/decode.js';
import type { ImageInput } from '../image/types.js';
import { Cells } from '../inference/cells.js';
import type { CellClassifier, Classification } from '../inference/classifier.js';
import { boxArray } from '../mask/boxes.js';
import { Masks } from '../mask/masks.js';
import type { Canvas } from '../render/canvas.js';
import { drawOverlay } from '../render/overlay.js';
import type { ClassifierTraining } from './config.js';
import { loadAhead, sheetOf, spread } from './samples.js';
import type { ValidationResult } from './task.js';

/** Evaluation of a classifier. */
export interface ClassifierEvaluation {
  classNames: readonly string[];
  images: number;
  /** Share of correctly classified images, 0 to 1. */
  accuracy: number;
  /** Mean of the per-class accuracy over the classes that occur. */
  balancedAccuracy: number;
  /** Mean cross-entropy, unweighted. */
  loss: number;
  /** Confusion matrix: number of images of class i (row) predicted as class j (column). */
  confusion: number[][];
  /** Per image: id, true class, predicted class and its probability. */
  perImage: { id: string; cellType: string; predicted: string; probability: number }[];
}

interface Named {
  id: string;
  cellType: string;
  classification: Classification;
}

/** Evaluates a classifier on the validation images; some of them are drawn. */
export function classifierValidator(
  data: Dataset,
  classNames: readonly string[],
  { metric, images, samples }: ClassifierTraining['validation'],
) {
  const items = spread(
    data.items.filter(({ cellType }) => cellType !== undefined),
    images,
  );
  const drawn = new Set(spread(items, samples));
  return async (
    classifier: CellClassifier,
    signal?: AbortSignal,
  ): Promise<ValidationResult<ClassifierEvaluation>> => {
    const named: Named[] = [];
    const sheet: (Named & { image: ImageInput })[] = [];
    for await (const { item, loaded } of loadAhead(items, signal)) {
      const classification = await classifier.classify(loaded.image, { signal });
      const one = { id: item.id, cellType: item.cellType!, classification };
      named.push(one);
      if (drawn.has(item)) sheet.push({ ...one, image: loaded.image });
    }
    const evaluation = classifierEvaluation(named, classNames);
    const { accuracy, balancedAccuracy, loss, confusion } = evaluation;
    const figures = { accuracy, 'balanced-accuracy': balancedAccuracy, loss };
    return {
      metric,
      score: figures[metric],
      // With few images accuracy soon reaches 1: the lower loss breaks the tie.
      tie: -loss,
      figures,
      confusion,
      evaluation,
      sheet: sheet.length > 0 ? () => draw(sheet) : undefined,
    };
  };
}

/** Computes the evaluation. Without images the shares are NaN. */
export function classifierEvaluation(
  named: readonly Named[],
  classNames: readonly string[],
): ClassifierEvaluation {
  const confusion = classNames.map(() => classNames.map(() => 0));
  let loss = 0;
  for (const { cellType, classification } of named) {
    const label = classNames.indexOf(cellType);
    confusion[label]![classification.index]!++;
    loss += crossEntropy(classification.logits, label);
  }
  const right = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  const recalls = confusion.flatMap((row, i) => {
    const images = row.reduce((sum, count) => sum + count, 0);
    return images === 0 ? [] : [row[i]! / images];
  });
  return {
    classNames,
    images: named.length,
    accuracy: right / named.length,
    balancedAccuracy: recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length,
    loss: loss / named.length,
    confusion,
    perImage: named.map(({ id, cellType, classification }) => ({
      id,
      cellType,
      predicted: classification.cellType,
      probability: classification.probabilities[classification.cellType]!,
    })),
  };
}

/** Negative log softmax. The largest logit is subtracted first to avoid overflow of exp. */
function crossEntropy(logits: Float32Array, label: number): number {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Math.log(sum) - (logits[label]! - largest);
}

async function draw(sheet: readonly (Named & { image: ImageInput })[]): Promise<Buffer> {
  const images: Canvas[] = [];
  for (const { id, cellType: type, classification, image } of sheet) {
    const raw = await decodeImage(image);
    const { cellType, probabilities } = classification;
    const verdict = cellType === type ? 'correct' : `WRONG, it is ${type}`;
    const title = `${id} · ${cellType} ${(100 * probabilities[cellType]!).toFixed(1)}% · ${verdict}`;
    const { width, height } = raw;
    const cells = new Cells({
      boxes: boxArray(new Float32Array(0)),
      scores: new Float32Array(0),
      labels: new Int32Array(0),
      areas: new Uint32Array(0),
      masks: Masks.fromCounts([], { width, height }),
    });
    const found = { width, height, cells, limitsReached: { detections: false, proposals: false }, scale: 1 };
    images.push(await drawOverlay(raw, found, { title, maxSide: 720 }));
  }
  return sheetOf(images, Math.ceil(Math.sqrt(images.length)));
}
