import { checkOneOf, checkOptions, refuse } from '../check.js';
import { checkAnnotated } from '../data/annotated.js';
import { Dataset } from '../data/dataset.js';
import type { DatasetItem } from '../data/types.js';
import { decodeImage } from '../image/decode.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { checkScale, SCALE_KEYS, scaleOptionsIn } from '../inference/scale.js';
import { withListener } from '../listener.js';
import { METRIC_NAMES } from '../metrics/index.js';
import { CALL_OPTION_KEYS } from '../native/job.js';
import { checkGrid } from './threshold-grid.js';
import { type TunedThresholds, type TuneOptions, tuneSegmenter } from './tune.js';

/**
 * Tunes the thresholds of each cell type (score, mask, NMS, minimum area, overlaps): finds those that maximize a metric on
 * annotated images, and sets them in the ensemble. `ensemble.save` writes them. The network runs once per image. The type
 * of an image is that of the data set or, if it has none, that of the router. Images of types without a segmenter and
 * without a fallback are skipped. An ensemble of one type is tuned on all images. Evaluate the result on other images.
 *
 * With `scale`, `diameter` or `pixelSize`, the thresholds are those for images that are segmented with the same option.
 * Areas of `grid.minArea` are at scale 1, as those of an ensemble.
 *
 * ```ts
 * const tuned = await tuneEnsemble(ensemble, data, { metric: 'kaggle' });
 * for (const [type, { before, after }] of Object.entries(tuned)) console.log(type, before, after);
 * ```
 *
 * @returns the tuned thresholds by type. An abort leaves all thresholds unchanged.
 * @throws {CellrouteError} INVALID_ARGUMENT for options, and if no image has a type with a segmenter; the errors of
 *   loading an image; an abort rejects with `signal.reason`.
 */
export async function tuneEnsemble(
  ensemble: RoutedEnsemble,
  data: Dataset,
  options: TuneOptions = {},
): Promise<Record<string, TunedThresholds>> {
  checkOptions(options, ['metric', 'grid', ...SCALE_KEYS, ...CALL_OPTION_KEYS]);
  const { metric, grid, signal, onProgress } = options;
  if (metric !== undefined) checkOneOf('metric', metric, METRIC_NAMES);
  if (grid !== undefined) checkGrid(grid);
  checkScale(options);
  if (!(ensemble instanceof RoutedEnsemble)) throw refuse('ensemble', 'a RoutedEnsemble', ensemble);
  if (!(data instanceof Dataset)) throw refuse('data', 'a Dataset', data);
  checkAnnotated(data, 'data');
  const groups = new Map<string, DatasetItem[]>();
  for (const item of data.items) {
    const [only, ...others] = ensemble.cellTypes;
    const known = others.length === 0 ? only : item.cellType;
    const serving = ensemble.servingType(known ?? (await routedType(ensemble, item, signal)));
    if (serving === undefined) continue;
    groups.set(serving, [...(groups.get(serving) ?? []), item]);
  }
  if (groups.size === 0) {
    const expected = `images of ${ensemble.cellTypes.filter((type) => ensemble.segmenters[type]).join(', ')}`;
    throw refuse('data', expected, data.cellTypes.join(', ') || 'none');
  }
  const tuned: Record<string, TunedThresholds> = {};
  await withListener(onProgress, signal, async (report, own) => {
    for (const [i, [type, items]] of [...groups].entries()) {
      tuned[type] = await tuneSegmenter(ensemble.segmenters[type]!, items, ensemble.thresholds[type] ?? {}, {
        metric,
        grid,
        ...scaleOptionsIn(options),
        signal: own,
        onProgress: ({ stage, fraction }) =>
          report({ stage: `${type}: ${stage}`, fraction: (i + fraction) / groups.size }),
      });
    }
  });
  ensemble.setThresholds(
    Object.fromEntries(Object.entries(tuned).map(([type, { thresholds }]) => [type, thresholds])),
  );
  return tuned;
}

async function routedType(
  ensemble: RoutedEnsemble,
  item: DatasetItem,
  signal: AbortSignal | undefined,
): Promise<string> {
  const call = signal ? { signal } : {};
  const decoded = await decodeImage((await item.load({ signal })).image, call);
  return (await ensemble.classifier.classify(decoded, call)).cellType;
}
