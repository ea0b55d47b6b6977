import { type Command, Option } from 'commander';
import { withFolderLock } from '../folder-lock.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { type ScaleOptions, scaleOptionsIn } from '../inference/scale.js';
import { METRIC_NAMES, type MetricName } from '../metrics/index.js';
import type { TunedThresholds } from '../tune/tune.js';
import { tuneEnsemble } from '../tune/tune-ensemble.js';
import { progressBar } from './batch.js';
import { columns } from './columns.js';
import {
  addDatasetOptions,
  type DatasetFlags,
  datasetForms,
  openWithFlags,
  withColumns,
} from './dataset-options.js';
import {
  columnIs,
  type ForceFlag,
  modelOption,
  type PrecisionFlag,
  withForce,
  withPrecision,
} from './options.js';
import { withScale } from './scale.js';
import { thresholdsPhrase } from './thresholds.js';

interface Flags extends DatasetFlags, PrecisionFlag, ForceFlag, ScaleOptions {
  model?: string | undefined;
  out: string;
  metric: MetricName;
  where?: Record<string, string> | undefined;
  json?: boolean | undefined;
}

/** Adds `cellroute tune PATH`. */
export function registerTune(program: Command): void {
  const command = program
    .command('tune')
    .description(
      'Search thresholds per cell type on images with ground truth, and save the ensemble with them',
    )
    .argument('<path>', datasetForms);
  withForce(withPrecision(withScale(addDatasetOptions(command))))
    .requiredOption('--out <folder>', 'folder of the tuned ensemble')
    .addOption(modelOption())
    .addOption(new Option('--metric <name>', 'metric to maximize').choices(METRIC_NAMES).default('kaggle'))
    .option('--where <column=value>', 'use only images with this value in a column; repeatable', columnIs)
    .option('--json', 'print JSON instead of a table')
    .addHelpText(
      'after',
      `
The network runs once per image. Evaluate the result on other images. Example:
  cellroute tune data --where split=val --out ensembles/tuned`,
    )
    .action(run);
}

/** Locks the folder before the search, so that a long search does not end at another process's lock. */
const run = (path: string, flags: Flags): Promise<void> => withFolderLock(flags.out, () => tune(path, flags));

async function tune(path: string, flags: Flags): Promise<void> {
  const { model, out, metric, where = {}, precision, device, force, json } = flags;
  const data = withColumns(await openWithFlags(path, flags), where);
  await using ensemble = await RoutedEnsemble.load(model, { precision, device });
  const saving = { ...(force && { force }) };
  await ensemble.checkSave(out, saving);
  const bar = progressBar('{bar} {stage}');
  bar.start(1, 0, { stage: '' });
  // Ctrl-C may end the process at once, because nothing is written before the end.
  const tuned = await tuneEnsemble(ensemble, data, {
    metric,
    ...scaleOptionsIn(flags),
    onProgress: ({ stage, fraction }) => bar.update(fraction, { stage }),
  }).finally(() => bar.stop());
  for (const { notices } of Object.values(tuned)) for (const notice of notices) console.error(notice);
  await ensemble.save(out, saving);
  console.log(json ? JSON.stringify({ metric, cellTypes: tuned }, null, 2) : table(metric, tuned));
}

function table(metric: MetricName, tuned: Record<string, TunedThresholds>): string {
  const rows = Object.entries(tuned).map(([type, { thresholds, before, after, images, tried }]) => [
    type,
    String(images),
    before.toFixed(3),
    after.toFixed(3),
    String(tried),
    thresholdsPhrase(thresholds),
  ]);
  return columns([['type', 'images', `${metric} before`, 'after', 'tried', 'thresholds'], ...rows]).join(
    '\n',
  );
}
