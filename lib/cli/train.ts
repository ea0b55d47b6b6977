import { type Command, InvalidArgumentError } from 'commander';
import { checkObject } from '../check.js';
import type { Dataset } from '../data/dataset.js';
import { cannotRead } from '../file-errors.js';
import { withFolderLock } from '../folder-lock.js';
import { ClassifierTrainer } from '../trainer/classifier-trainer.js';
import { classifierTraining, segmenterTraining } from '../trainer/config.js';
import { readConfigFile } from '../trainer/config-file.js';
import {
  type EnsembleTrainer as Ensemble,
  EnsembleTrainer,
  type EnsembleTraining,
} from '../trainer/ensemble-trainer.js';
import { exists, RunFolder, readJson } from '../trainer/run-folder.js';
import { SegmenterTrainer } from '../trainer/segmenter-trainer.js';
import { syncWandb } from '../trainer/wandb.js';
import {
  addDatasetOptions,
  DATASET_KEYS,
  type DatasetFlags,
  datasetForms,
  datasetSource,
  openWithFlags,
  readDatasetSource,
} from './dataset-options.js';
import { missing, numberIn } from './options.js';
import { StopSignals } from './stop-signals.js';
import { type AnyTrainEvent, TrainReport } from './train-report.js';

/** The data source of a run; stored in its data.json for `--resume`. */
interface Source extends DatasetFlags {
  data: string;
  validation?: string;
  validationFraction?: number;
  validationColumn?: { column: string; values: string[] };
}

interface Flags extends Partial<Source> {
  out?: string | undefined;
  config?: string | undefined;
  resume?: string | undefined;
  force?: boolean | undefined;
}

/** Seed of `--validation-fraction`: every run splits a data set the same way. */
const SPLIT_SEED = 3011;

type Kind = 'segmenter' | 'classifier' | 'ensemble';

const DESCRIPTIONS: Record<Kind, string> = {
  segmenter: 'Train a Mask R-CNN that segments cells',
  classifier: 'Train the classifier that predicts the cell type of an image',
  ensemble: 'Train a classifier and one segmenter per cell type in the data',
};

/** Adds `cellroute train segmenter|classifier|ensemble`. */
export function registerTrain(program: Command): void {
  const train = program.command('train').description('Train networks on your own images');
  for (const kind of ['segmenter', 'classifier', 'ensemble'] as const) registerKind(train, kind);
  train
    .command('sync-wandb')
    .description(
      'Upload the log of a run to Weights & Biases, for a run that was trained offline or failed to upload',
    )
    .argument('<run>', 'folder of the run')
    .action(async (folder: string) => console.log(await syncWandb(folder)));
}

function registerKind(train: Command, kind: Kind): void {
  const command = train
    .command(kind)
    .description(DESCRIPTIONS[kind])
    .option('-d, --data <path>', datasetForms);
  addDatasetOptions(command)
    .option('-o, --out <folder>', 'folder of the run: weights, checkpoints, log, plots, samples')
    .option('-c, --config <file>', 'JSON file with settings that differ from the defaults')
    .option('--validation <path>', 'validation data, in the formats of --data')
    .option(
      '--validation-fraction <share>',
      'use this share of --data for validation, 0 to 1',
      numberIn(0, 1),
    )
    .option(
      '--validation-column <name=value>',
      'validate on images with this value in a column; comma-separated values',
      column,
    )
    .option('--resume <folder>', 'resume the run in this folder')
    .option('--force', 'with --resume: continue although data or configuration have changed')
    .addHelpText(
      'after',
      `
Ctrl-C writes a checkpoint. An interrupted run, even after kill -9, continues with --resume and ends with the same weights:
  cellroute train ${kind} --data data/train.csv --validation-fraction 0.2 --out runs/first
  cellroute train ${kind} --resume runs/first`,
    )
    .action((flags: Flags) => run(kind, flags));
}

function column(text: string): { column: string; values: string[] } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('Expected name=value.');
  return { column: text.slice(0, at), values: text.slice(at + 1).split(',') };
}

async function run(kind: Kind, flags: Flags): Promise<void> {
  const folder = flags.resume ?? flags.out;
  if (folder === undefined)
    throw missing('--out', 'a folder for the run, or --resume with the folder of a run');
  // Before the data set is opened, which can take minutes; a folder that is resumed exists.
  if (flags.resume === undefined || (await exists(folder))) {
    await withFolderLock(folder, () => train(kind, flags, folder));
  } else {
    await train(kind, flags, folder);
  }
}

async function train(kind: Kind, flags: Flags, folder: string): Promise<void> {
  const source = sourceOf(flags) ?? (await storedSource(folder, flags.resume !== undefined));
  const { train, validation } = await openSource(source);
  const trainer = await trainerOf(kind, flags, folder, {
    data: train,
    validation,
    source: { ...source },
  });

  // Checkpoints are written atomically: if a second signal ends the process, the previous one stays valid.
  const stop = new StopSignals();
  const report = new TrainReport();
  try {
    const events: AsyncIterable<AnyTrainEvent> = trainer.run({ signal: stop.signal });
    for await (const event of events) report.report(event);
  } catch (error) {
    if (!stop.caused(error)) throw error;
  } finally {
    report.close();
    stop.close();
  }
  if (stop.received) {
    const started = await exists(RunFolder.at(folder).config);
    console.error(
      started
        ? `Stopped. Resume with: cellroute train ${kind} --resume ${folder}`
        : 'Stopped before training started.',
    );
    stop.setExitCode();
  }
}

interface Images {
  data: Dataset;
  validation?: Dataset | undefined;
  source: Record<string, unknown>;
}

async function trainerOf(
  kind: Kind,
  flags: Flags,
  folder: string,
  images: Images,
): Promise<SegmenterTrainer | ClassifierTrainer | Ensemble> {
  const { resume, force = false } = flags;
  if (kind === 'ensemble') {
    if (resume !== undefined) return EnsembleTrainer.resume(folder, { ...images, force });
    const file = flags.config === undefined ? undefined : await readConfigFile(flags.config);
    const make = (config: unknown) =>
      new EnsembleTrainer({ ...images, folder, config: config as EnsembleTraining });
    return file ? file.read(make) : make({});
  }
  const read = kind === 'segmenter' ? segmenterTraining : classifierTraining;
  const Trainer = kind === 'segmenter' ? SegmenterTrainer : ClassifierTrainer;
  const file = flags.config === undefined ? undefined : await readConfigFile(flags.config);
  // Also validated here, because only here an error can name its position in the file.
  file?.read((value) => read(checkObject('config', value, 'INVALID_CONFIG')));
  const config = file ? { config: file.value as object } : {};
  return resume === undefined
    ? new Trainer({ ...images, folder, ...config })
    : Trainer.resume(folder, { ...images, force, ...config });
}

const SOURCE_KEYS = [
  'data',
  'validation',
  'validationFraction',
  'validationColumn',
  ...DATASET_KEYS,
] as const;

function sourceOf(flags: Flags): Source | undefined {
  const { data, validation, validationFraction, validationColumn } = flags;
  const ways = [validation, validationFraction, validationColumn].filter((way) => way !== undefined);
  if (ways.length > 1) {
    throw missing('--validation', 'one of --validation, --validation-fraction and --validation-column');
  }
  const source = datasetSource(flags, SOURCE_KEYS);
  if (Object.keys(source).length === 0) return undefined;
  if (data === undefined) throw missing('--data', 'a data set');
  return source as Partial<Source> & Pick<Source, 'data'>;
}

/** The data source stored in the resumed run. */
async function storedSource(folder: string, isResumed: boolean): Promise<Source> {
  if (!isResumed) throw missing('--data', 'a data set');
  const { source } = (await readJson(RunFolder.at(folder).data)) ?? {};
  if (source === undefined || source === null) {
    throw cannotRead(folder, 'the folder contains no run with a data source: pass --data');
  }
  return readDatasetSource(source, SOURCE_KEYS) as Source;
}

async function openSource(source: Source): Promise<{ train: Dataset; validation?: Dataset }> {
  const { validation, validationFraction, validationColumn } = source;
  const train = await openWithFlags(source.data, source);
  if (validation !== undefined) return { train, validation: await openWithFlags(validation, source) };
  if (validationFraction !== undefined)
    return train.split({ fraction: validationFraction, seed: SPLIT_SEED });
  if (validationColumn !== undefined) return train.split(validationColumn);
  return { train };
}
