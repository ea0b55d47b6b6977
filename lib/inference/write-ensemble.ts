import { join } from 'node:path';
import type { Outputs } from '../outputs.js';
import { ENSEMBLE_FILE, type EnsembleFile, readEnsembleFile, STATISTICS_FILE } from './ensemble-file.js';
import { type RouterStatistics, writeStatistics } from './router-statistics.js';
import type { SegmentThresholds } from './thresholds.js';

const CLASSIFIER_FILE = 'classifier.safetensors';

/** The file of a type's segmenter; escaped, because a type may have any name. */
const segmenterFile = (type: string): string => `segmenter-${encodeURIComponent(type)}.safetensors`;

type WriteFile = (path: string) => Promise<void>;

/** A segmenter of an ensemble that is written. */
export interface SegmenterPart {
  /** Writes its file, or the name of a file that the ensemble in the folder has already, and which stays. */
  weights: WriteFile | string;
  thresholds?: SegmentThresholds | undefined;
}

/** The parts of an ensemble that is written. */
export interface EnsembleParts {
  classifier: WriteFile;
  segmenters: Readonly<Record<string, SegmenterPart | null>>;
  fallback: string | undefined;
  statistics: RouterStatistics | undefined;
}

/** How parts become files of a folder. */
interface Plan {
  description: EnsembleFile;
  /** By file name. No file of the ensemble that the folder has is among them. */
  written: ReadonlyMap<string, WriteFile>;
  /** Files of the ensemble that the folder has which the new one does not have. */
  dropped: readonly string[];
}

async function planFiles(folder: string, parts: EnsembleParts): Promise<Plan> {
  const old = await filesIn(folder);
  const taken = new Set(old);
  const written = new Map<string, WriteFile>();
  const place = (name: string, write: WriteFile): string => {
    const file = freeName(name, taken);
    taken.add(file);
    written.set(file, write);
    return file;
  };
  const { fallback, statistics } = parts;
  const segmenters: EnsembleFile['segmenters'] = Object.create(null);
  for (const [type, segmenter] of Object.entries(parts.segmenters)) {
    segmenters[type] = null;
    if (!segmenter) continue;
    const { weights, thresholds } = segmenter;
    const file = typeof weights === 'string' ? weights : place(segmenterFile(type), weights);
    segmenters[type] = { weights: file, ...(thresholds && { thresholds }) };
  }
  const description: EnsembleFile = {
    classifier: place(CLASSIFIER_FILE, parts.classifier),
    segmenters,
    fallback,
    ...(statistics && {
      statistics: place(STATISTICS_FILE, (path) => writeStatistics(path, statistics)),
    }),
  };
  const used = new Set(filesOf(description));
  return { description, written, dropped: old.filter((file) => !used.has(file)) };
}

/** The names of an ensemble's files besides `ensemble.json`. */
const filesOf = ({ classifier, segmenters, statistics }: EnsembleFile): string[] => [
  classifier,
  ...Object.values(segmenters).flatMap((entry) => (entry ? [entry.weights] : [])),
  ...(statistics === undefined ? [] : [statistics]),
];

/** The files of the ensemble in a folder. Without a valid one, no file is kept: `Outputs` protects those of others. */
const filesIn = (folder: string): Promise<string[]> => readEnsembleFile(folder).then(filesOf, () => []);

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let version = 1; ; version++) {
    const file = version === 1 ? name : name.replace(/(?=\.safetensors$)/, `.${version}`);
    if (!taken.has(file)) return file;
  }
}

/**
 * Checks that {@link writeEnsemble} would replace no file that cellroute did not write.
 *
 * @throws {CellrouteError} FILE_UNWRITABLE
 */
export async function checkEnsembleFiles(
  folder: string,
  parts: EnsembleParts,
  outputs: Outputs,
): Promise<void> {
  await checkPlan(folder, await planFiles(folder, parts), outputs);
}

const checkPlan = (folder: string, { written, dropped }: Plan, outputs: Outputs): Promise<void> =>
  outputs.check([ENSEMBLE_FILE, ...written.keys(), ...dropped].map((name) => join(folder, name)));

/**
 * Writes an ensemble into a folder. An ensemble that the folder has is replaced at once, by the rename of `ensemble.json`: all
 * other files get names that it does not use, and its own are deleted afterwards. A process that ends at any moment leaves the
 * one ensemble or the other, and at most files that neither uses.
 *
 * @throws {CellrouteError} FILE_UNWRITABLE, and what the parts throw; `signal.reason` after an abort. The folder then has the
 *   ensemble that it had, and no other files.
 */
export async function writeEnsemble(
  folder: string,
  parts: EnsembleParts,
  outputs: Outputs,
  signal?: AbortSignal,
): Promise<void> {
  const plan = await planFiles(folder, parts);
  await checkPlan(folder, plan, outputs);
  const text = JSON.stringify({ format: 'cellroute-ensemble', version: 1, ...plan.description }, null, 2);
  const placed: string[] = [];
  try {
    for (const [name, write] of plan.written) {
      signal?.throwIfAborted();
      await outputs.place(join(folder, name), write);
      placed.push(join(folder, name));
    }
    signal?.throwIfAborted();
    await outputs.write(join(folder, ENSEMBLE_FILE), `${text}\n`);
  } catch (error) {
    for (const path of placed) await outputs.remove(path).catch(() => undefined);
    throw error;
  }
  // The new ensemble is complete. Windows does not delete a file that another process has mapped.
  for (const name of plan.dropped) await outputs.remove(join(folder, name)).catch(() => undefined);
}
