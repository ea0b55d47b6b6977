import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { checkKeys, checkObject } from '../check.js';
import type { Dataset } from '../data/dataset.js';
import { CellrouteError } from '../errors.js';
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
import { addDatasetOptions, type DatasetFlags, datasetForms, openWithFlags } from './dataset-options.js';
import { numberIn } from './options.js';
import { type AnyTrainEvent, TrainReport } from './train-report.js';

/** Where the images of a run come from; kept in its data.json for `--resume`. */
interface Source extends DatasetFlags {
  data: string;
  validation?: string;
  validationFraction?: number;
  validationColumn?: { column: string; values: string[] };
}

interface Flags extends Partial<Source> {
  out?: string;
  config?: string;
  resume?: string;
  force?: boolean;
}

/** Of `--validation-fraction`, so that a data set is split alike by every run. */
const SPLIT_SEED = 3011;

type Kind = 'segmenter' | 'classifier' | 'ensemble';

const DESCRIPTIONS: Record<Kind, string> = {
  segmenter: 'Trains a Mask R-CNN that finds and outlines cells',
  classifier: 'Trains the classifier that names the cell type of an image',
  ensemble: 'Trains a classifier and one segmenter for each cell type in the data',
};

/** Adds `cellroute train segmenter|classifier|ensemble`. */
export function registerTrain(program: Command): void {
  const train = program.command('train').description('Trains networks on your own images');
  for (const kind of ['segmenter', 'classifier', 'ensemble'] as const) registerKind(train, kind);
  train
    .command('sync-wandb')
    .description(
      "Sends a run's log to Weights & Biases: of a run that was trained offline, or could not send it",
    )
    .argument('<run>', 'the folder of the run')
    .action(async (folder: string) => console.log(await syncWandb(folder)));
}

function registerKind(train: Command, kind: Kind): void {
  const command = train
    .command(kind)
    .description(DESCRIPTIONS[kind])
    .option('-d, --data <path>', datasetForms);
  addDatasetOptions(command)
    .option('-o, --out <folder>', 'where the run is kept: weights, checkpoints, log, plots, samples')
    .option('-c, --config <file>', 'JSON file with what differs from the defaults')
    .option('--validation <path>', 'images to validate on, as --data')
    .option('--validation-fraction <share>', 'validate on this share of --data, 0 to 1', numberIn(0, 1))
    .option(
      '--validation-column <name=value>',
      'validate on what has this in a column; values by commas',
      column,
    )
    .option('--resume <folder>', 'go on with the run in this folder')
    .option('--force', 'with --resume: go on though data or configuration are not the run’s')
    .addHelpText(
      'after',
      `
Ctrl-C leaves a checkpoint. What was interrupted, even by kill -9, goes on with --resume as if nothing had happened:
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
    throw missing('--out', 'a folder for the run, or --resume with one that has a run');
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
    ...(validation ? { validation } : {}),
    source: { ...source },
  });

  const stop = new AbortController();
  let signalled: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    signalled = name;
    stop.abort();
  };
  // A second one ends the process at once; a checkpoint that is being written then stays what it was.
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const report = new TrainReport();
  try {
    const events: AsyncIterable<AnyTrainEvent> = trainer.run({ signal: stop.signal });
    for await (const event of events) report.tell(event);
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
  } finally {
    report.close();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
  if (signalled) {
    const begun = await exists(RunFolder.at(folder).config);
    console.error(
      begun ? `Stopped. Go on with: cellroute train ${kind} --resume ${folder}` : 'Stopped before it began.',
    );
    process.exitCode = signalled === 'SIGINT' ? 130 : 143;
  }
}

interface Images {
  data: Dataset;
  validation?: Dataset;
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
  // Read twice: here so that a mistake is told with its place in the file.
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
  'type',
  'typeColumn',
  'images',
  'categoriesAreTypes',
  'crowds',
  'strict',
] as const;

function sourceOf(flags: Flags): Source | undefined {
  const { data, validation, validationFraction, validationColumn } = flags;
  const ways = [validation, validationFraction, validationColumn].filter((way) => way !== undefined);
  if (ways.length > 1) {
    throw missing('--validation', 'one of --validation, --validation-fraction and --validation-column');
  }
  const given = SOURCE_KEYS.filter((key) => flags[key] !== undefined);
  if (given.length === 0) return undefined;
  if (data === undefined) throw missing('--data', 'the data set that this is about');
  const source: Source = { ...Object.fromEntries(given.map((key) => [key, flags[key]])), data };
  // A run may be resumed from anywhere.
  for (const key of ['data', 'validation', 'images'] as const) {
    if (source[key] !== undefined) source[key] = resolve(source[key]);
  }
  return source;
}

/** How the run that is resumed opened its data. */
async function storedSource(folder: string, isResumed: boolean): Promise<Source> {
  if (!isResumed) throw missing('--data', 'a data set');
  const stored = (await readJson(RunFolder.at(folder).data)) as { source?: Source } | undefined;
  if (!stored?.source) {
    throw new CellrouteError(
      'FILE_UNREADABLE',
      `${folder} has no run in it that says where its images are: name them with --data`,
      { file: folder },
    );
  }
  checkKeys('source', stored.source, SOURCE_KEYS);
  return stored.source;
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

const missing = (option: string, expected: string) =>
  new CellrouteError('INVALID_ARGUMENT', `Expected ${expected} (${option})`, { option, expected });
