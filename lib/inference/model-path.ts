import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { checkKeys, checkObject, checkString } from '../check.js';
import { CellrouteError } from '../errors.js';
import { cannotRead, unreadable } from '../file-errors.js';
import { ENSEMBLE_FILE, readEnsembleFile } from './ensemble-file.js';
import { checkThresholds, type SegmentThresholds, THRESHOLD_KEYS } from './thresholds.js';

/** The files and folders of a training run by which its model is found. */
export const RUN_FILES = {
  /** The configuration of the training. */
  config: 'config.json',
  /** Weights of a finished run. */
  segmenter: 'segmenter.safetensors',
  classifier: 'classifier.safetensors',
  /** The ensemble that a finished training of all networks has written. */
  ensemble: 'ensemble',
  checkpoints: 'checkpoints',
  /** In the folder of a fine-tuning: what was decided before it, for resuming. */
  finetune: 'finetune.json',
} as const;

/** The model at a path. */
export type FoundModel =
  | {
      /** A folder with `ensemble.json`. */
      kind: 'ensemble';
      folder: string;
    }
  | {
      /** The folder of a finished training run. */
      kind: 'run';
      network: 'segmenter' | 'classifier';
      /** Weights of the network. */
      file: string;
      /** Those that the run validated a segmenter with. */
      thresholds: SegmentThresholds;
    }
  | {
      /** A file, which is not opened. */
      kind: 'file';
      file: string;
    };

/**
 * Finds the model at a path, as every `--model` of the command line and every `load` does:
 *
 * - a folder with `ensemble.json`: an ensemble, as `ensemble.save`, `cellroute ensemble create` and `finetune` write it;
 * - the folder of a finished run of `train segmenter`, `train classifier` or `train ensemble`;
 * - any file: weights of a segmenter or a classifier.
 *
 * @throws {CellrouteError} FILE_UNREADABLE if nothing is there, for another folder and for a run that has not finished, with
 *   what the folder contains; INVALID_ARGUMENT.
 */
export async function findModel(path: string): Promise<FoundModel> {
  const info = await stat(checkString('path', path)).catch(unreadable(path));
  if (!info.isDirectory()) return { kind: 'file', file: path };
  const names = new Set(await readdir(path).catch(unreadable(path)));
  if (names.has(ENSEMBLE_FILE)) return { kind: 'ensemble', folder: path };
  if (names.has(RUN_FILES.finetune)) {
    throw unfinished(path, 'the fine-tuning', `cellroute finetune --resume ${path}`, '');
  }
  if (!names.has(RUN_FILES.config)) throw noModel(path, names);
  const trained = join(path, RUN_FILES.ensemble);
  if (await exists(join(trained, ENSEMBLE_FILE))) return { kind: 'ensemble', folder: trained };
  const network = (['segmenter', 'classifier'] as const).find((one) => names.has(RUN_FILES[one]));
  const config = await readConfig(join(path, RUN_FILES.config));
  if (network === undefined) {
    const kind = String(config.kind ?? 'ensemble').replace('-training', '');
    throw unfinished(path, 'the run', `cellroute train ${kind} --resume ${path}`, await bestOf(path));
  }
  const thresholds = network === 'segmenter' ? thresholdsIn(path, config) : {};
  return { kind: 'run', network, file: join(path, RUN_FILES[network]), thresholds };
}

/**
 * The segmenter at a model path: a file, the segmenter of a run, or that of an ensemble with only one.
 *
 * @throws {CellrouteError} those of {@link findModel}; WEIGHTS_MISMATCH for a classifier's run; ENSEMBLE_INVALID for an
 *   ensemble with several segmenters.
 */
export async function findSegmenter(path: string): Promise<{ file: string; thresholds: SegmentThresholds }> {
  const found = await findModel(path);
  if (found.kind === 'file') return { file: found.file, thresholds: {} };
  if (found.kind === 'run') {
    if (found.network === 'segmenter') return found;
    throw mismatch(path, 'a segmenter', `the run of a ${found.network}`);
  }
  const { segmenters } = await readEnsembleFile(found.folder);
  const own = Object.entries(segmenters).flatMap(([type, entry]) => (entry ? [{ type, ...entry }] : []));
  const [only] = own;
  if (only && own.length === 1) {
    return { file: join(found.folder, only.weights), thresholds: only.thresholds ?? {} };
  }
  const files = own.map(({ type, weights }) => `${weights} for ${type}`).join(', ');
  throw new CellrouteError(
    'ENSEMBLE_INVALID',
    `Expected one segmenter at ${path} but found an ensemble of ${own.length} (${files}): pass the path of one of its files`,
    { file: path, expected: 'one segmenter', got: `${own.length} segmenters` },
  );
}

/**
 * The classifier at a model path: a file, the classifier of a run, or the router of an ensemble.
 *
 * @throws {CellrouteError} those of {@link findModel}; WEIGHTS_MISMATCH for a segmenter's run.
 */
export async function findClassifier(path: string): Promise<string> {
  const found = await findModel(path);
  if (found.kind === 'file') return found.file;
  if (found.kind === 'ensemble') {
    return join(found.folder, (await readEnsembleFile(found.folder)).classifier);
  }
  if (found.network === 'classifier') return found.file;
  throw mismatch(path, 'a classifier', `the run of a ${found.network}`);
}

/**
 * The weights at a model path: a file, those of a run, or those of an ensemble's only segmenter.
 *
 * @throws {CellrouteError} those of {@link findModel}; ENSEMBLE_INVALID for an ensemble with several segmenters.
 */
export async function findWeights(path: string): Promise<string> {
  const found = await findModel(path);
  return found.kind === 'ensemble' ? (await findSegmenter(path)).file : found.file;
}

/** The error for a network of another kind at a model path. */
export const mismatch = (path: string, expected: string, got: string): CellrouteError =>
  new CellrouteError('WEIGHTS_MISMATCH', `Expected ${expected} at ${path} but found ${got}`, {
    file: path,
    expected,
    got,
  });

const EXPECTED = `an ensemble (${ENSEMBLE_FILE}) or a finished run (${RUN_FILES.config} with ${RUN_FILES.segmenter} or ${RUN_FILES.classifier})`;
const MAX_SHOWN = 5;

function noModel(path: string, names: ReadonlySet<string>): CellrouteError {
  const all = [...names].sort();
  const more = all.length > MAX_SHOWN ? ` and ${all.length - MAX_SHOWN} more` : '';
  const found = all.length === 0 ? 'it is empty' : `it contains ${all.slice(0, MAX_SHOWN).join(', ')}${more}`;
  return cannotRead(path, `the folder contains no model: expected ${EXPECTED}, but ${found}`);
}

const unfinished = (path: string, what: string, resume: string, instead: string): CellrouteError =>
  cannotRead(path, `${what} in this folder has not finished: resume it (${resume})${instead}`);

/** The best network of an unfinished run, as the end of a sentence. */
async function bestOf(path: string): Promise<string> {
  const folder = join(path, RUN_FILES.checkpoints);
  const best = (await readdir(folder).catch(() => [])).find((name) => /^best-\d+\.safetensors$/.test(name));
  return best === undefined ? '' : `, or pass its best network so far, ${join(folder, best)}`;
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, 'utf8').catch(unreadable(path));
  try {
    return checkObject(basename(path), JSON.parse(text));
  } catch (error) {
    throw cannotRead(path, `it is not the configuration of a run: ${(error as Error).message}`, error);
  }
}

function thresholdsIn(path: string, { validation }: Record<string, unknown>): SegmentThresholds {
  const { thresholds } = (validation ?? {}) as { thresholds?: unknown };
  if (thresholds === undefined) return {};
  const option = 'validation.thresholds';
  try {
    const own = checkObject(option, thresholds) as SegmentThresholds;
    checkKeys(option, own, THRESHOLD_KEYS);
    checkThresholds(own, option);
    return own;
  } catch (error) {
    throw cannotRead(join(path, RUN_FILES.config), (error as Error).message, error);
  }
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;
