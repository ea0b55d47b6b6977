import { checkAnnotated } from '../data/annotated.js';
import { decodeImage } from '../image/decode.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { type ScaleOptions, scaleOptionsIn } from '../inference/scale.js';
import type { EvaluatedImage } from '../metrics/index.js';
import { progressBar } from './batch.js';
import { type DatasetFlags, openWithFlags } from './dataset-options.js';
import type { PrecisionFlag } from './options.js';

/** Flags of an evaluation of a model on a data set. */
export interface ModelFlags extends DatasetFlags, PrecisionFlag, ScaleOptions {
  cellType?: string | undefined;
  where?: Record<string, string> | undefined;
  ignoreClasses?: boolean | undefined;
}

/** Segments the images of a data set with a model and its thresholds. */
export async function segmentDataset(
  path: string,
  model: string,
  flags: ModelFlags,
): Promise<EvaluatedImage[]> {
  const { cellType, where = {}, precision, device, ignoreClasses = false } = flags;
  const opened = await openWithFlags(path, flags);
  checkAnnotated(opened, '--ground-truth');
  const data = opened.filter({
    where: ({ columns }) => Object.entries(where).every(([name, value]) => columns[name] === value),
  });
  await using ensemble = await RoutedEnsemble.load(model, { precision, device });
  const bar = progressBar('{bar} {value}/{total} {image}');
  bar.start(data.items.length, 0, { image: '' });
  const images: EvaluatedImage[] = [];
  try {
    for (const item of data.items) {
      const { image, masks, labels } = await item.load();
      const { cells } = await ensemble.segment(await decodeImage(image), {
        ...scaleOptionsIn(flags),
        ...(cellType !== undefined && { cellType }),
      });
      images.push({
        id: item.id,
        cellType: item.cellType,
        groundTruth: masks,
        predicted: cells.masks,
        scores: cells.scores,
        ...(!ignoreClasses && { groundTruthLabels: labels, labels: cells.labels }),
      });
      bar.increment(1, { image: item.id });
    }
  } finally {
    bar.stop();
  }
  return images;
}
