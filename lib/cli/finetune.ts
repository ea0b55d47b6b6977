import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { CellrouteError } from '../errors.js';
import { FILES } from '../finetune/context.js';
import { finetune } from '../finetune/finetune.js';
import { MINUTES } from '../finetune/options.js';
import { checkDevice, type Device } from '../inference/device.js';
import { METRIC_NAMES, type MetricName } from '../metrics/index.js';
import { readJson } from '../trainer/run-folder.js';
import {
  addDatasetOptions,
  DATASET_KEYS,
  type DatasetFlags,
  datasetForms,
  datasetSource,
  openWithFlags,
  readDatasetSource,
} from './dataset-options.js';
import { FinetuneReport } from './finetune-report.js';
import { missing, numberIn } from './options.js';
import { StopSignals } from './stop-signals.js';

interface Source extends DatasetFlags {
  data: string;
  validation?: string;
}

interface Flags extends DatasetFlags {
  out?: string | undefined;
  resume?: string | undefined;
  validation?: string | undefined;
  start?: string | undefined;
  minutes?: number | undefined;
  steps?: number | undefined;
  metric?: MetricName | undefined;
  name?: string | undefined;
  device?: Device | undefined;
  precision?: 'auto' | 'float32' | 'bfloat16' | 'tf32' | undefined;
  seed?: number | undefined;
  json?: boolean | undefined;
}

/** Adds `cellroute finetune PATH`. */
export function registerFinetune(program: Command): void {
  const whole = { integer: true };
  const command = program
    .command('finetune')
    .description('Fine-tune a starter segmenter on your own annotated images: one command with good defaults')
    .argument('[path]', datasetForms);
  addDatasetOptions(command)
    .option('-o, --out <folder>', 'folder of the model; it is created')
    .option('--minutes <number>', 'time budget (default: 10)', numberIn(MINUTES.min, MINUTES.max))
    .option('--steps <number>', 'training steps, instead of a time budget', numberIn(1, 1e9, whole))
    .option(
      '--start <name>',
      'auto: the starter segmenter that fits best; a type of the starter ensemble; or a segmenter of your own: a file, a run folder or an ensemble with one segmenter (default: auto)',
    )
    .option(
      '--validation <path>',
      'images to hold out, in the formats of PATH (default: a fifth of the images)',
    )
    .addOption(new Option('--metric <name>', 'metric to maximize (default: kaggle)').choices(METRIC_NAMES))
    .option('--name <type>', 'name of the cell type in the model (default: cells)')
    .addOption(
      new Option('--precision <type>', 'arithmetic of the training (default: auto, the faster one)').choices([
        'auto',
        'float32',
        'bfloat16',
        'tf32',
      ]),
    )
    .addOption(
      new Option('--device <name>', 'cpu, cuda, cuda:1 or auto (default: auto)').argParser((value) =>
        checkDevice('--device', value),
      ),
    )
    .option('--seed <number>', 'random seed (default: 3011)', numberIn(0, Number.MAX_SAFE_INTEGER, whole))
    .option('--resume <folder>', 'continue an interrupted fine-tuning')
    .option('--json', 'print the summary as JSON')
    .addHelpText(
      'after',
      `
The folder is a model for segment, report and evaluate. It also has summary.json, before-after.png and the training run.
A fifth of the images is held out; the model is never worse on them than the start. Examples:
  cellroute finetune my-images --out my-model
  cellroute finetune --resume my-model
  cellroute segment new-images --model my-model --out results`,
    )
    .action(run);
}

const SOURCE_KEYS = ['data', 'validation', ...DATASET_KEYS] as const;

async function run(path: string | undefined, flags: Flags): Promise<void> {
  const { resume, json = false } = flags;
  const out = resume ?? flags.out;
  if (out === undefined) throw missing('--out', 'a folder for the model, or --resume with the folder of one');
  const source = path === undefined ? await storedSource(out, resume !== undefined) : sourceOf(path, flags);
  const data = await openWithFlags(source.data, source);
  const validation =
    source.validation === undefined ? undefined : await openWithFlags(source.validation, source);

  const stop = new StopSignals();
  const report = new FinetuneReport({ quiet: json });
  let hasRun = false;
  const { start, minutes, steps, metric, name, device, precision, seed } = flags;
  try {
    const summary = await finetune(data, {
      out,
      source: { ...source },
      onEvent(event) {
        hasRun = true;
        report.report(event);
      },
      signal: stop.signal,
      validation,
      start,
      minutes,
      steps,
      metric,
      cellType: name,
      device,
      precision,
      seed,
      resume: resume !== undefined,
    });
    if (json) console.log(JSON.stringify(summary, null, 2));
    else if (!hasRun)
      console.log(`The fine-tuning in ${out} was already finished: there is nothing to resume`);
  } catch (error) {
    if (!stop.caused(error)) throw error;
    console.error(`Stopped. Resume with: cellroute finetune --resume ${out}`);
    stop.setExitCode();
  } finally {
    stop.close();
  }
}

const sourceOf = (path: string, flags: Flags): Source =>
  datasetSource({ ...flags, data: path }, SOURCE_KEYS) as Partial<Source> & Pick<Source, 'data'>;

/** The data of the call that is resumed. */
async function storedSource(folder: string, isResumed: boolean): Promise<Source> {
  if (!isResumed) throw missing('PATH', 'a data set');
  const { source } = (await readJson(resolve(folder, FILES.state))) ?? {};
  if (source === undefined || source === null) {
    throw new CellrouteError('RESUME_REFUSED', `${folder} has nothing to resume`, { file: folder });
  }
  return readDatasetSource(source, SOURCE_KEYS) as Source;
}
