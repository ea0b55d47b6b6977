import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkKeys, checkObject, checkString, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { unreadable } from '../file-errors.js';
import { findStarter } from '../native/find.js';
import { checkThresholds, type SegmentThresholds, THRESHOLD_KEYS } from './thresholds.js';

/** Folder of the starter ensemble in the package. */
export const starterFolder = findStarter();

/** Description of an ensemble in its folder. It is written last, so a folder that has it is complete. */
export const ENSEMBLE_FILE = 'ensemble.json';

/** File of a new ensemble with what adding a type needs of the images of the others. */
export const STATISTICS_FILE = 'router-statistics.safetensors';

/** Content of `ensemble.json`; file names are relative to its folder. */
export interface EnsembleFile {
  classifier: string;
  segmenters: Record<string, { weights: string; thresholds?: SegmentThresholds } | null>;
  fallback?: string | undefined;
  /** File of the router's statistics. */
  statistics?: string | undefined;
}

/**
 * Reads and validates `ensemble.json` of a folder, so that an error is found before a network is loaded.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; ENSEMBLE_INVALID, naming the file and the value.
 */
export async function readEnsembleFile(folder: string): Promise<EnsembleFile> {
  const path = join(folder, ENSEMBLE_FILE);
  const text = await readFile(path, 'utf8').catch(unreadable(path));
  try {
    return parse(text);
  } catch (error) {
    const { message, details } =
      error instanceof CellrouteError ? error : { message: (error as Error).message, details: {} };
    throw new CellrouteError(
      'ENSEMBLE_INVALID',
      `${path}: ${message}`,
      { ...details, file: path },
      { cause: error },
    );
  }
}

function parse(text: string): EnsembleFile {
  const root = checkObject('the file', JSON.parse(text));
  checkKeys('', root, ['format', 'version', 'classifier', 'segmenters', 'fallback', 'statistics']);
  if (root.format !== 'cellroute-ensemble') throw refuse('format', "'cellroute-ensemble'", root.format);
  if (root.version !== 1) throw refuse('version', '1, the only supported version', root.version);
  // Without a prototype, because a type may have any name.
  const segmenters: EnsembleFile['segmenters'] = Object.create(null);
  for (const [type, value] of Object.entries(checkObject('segmenters', root.segmenters))) {
    if (value === null) {
      segmenters[type] = null;
      continue;
    }
    const entry = checkObject(`segmenters.${type}`, value);
    checkKeys(`segmenters.${type}`, entry, ['weights', 'thresholds']);
    segmenters[type] = { weights: checkFileName(`segmenters.${type}.weights`, entry.weights) };
    if (entry.thresholds !== undefined) {
      const path = `segmenters.${type}.thresholds`;
      const thresholds = checkObject(path, entry.thresholds) as SegmentThresholds;
      checkKeys(path, thresholds, THRESHOLD_KEYS);
      checkThresholds(thresholds, path);
      segmenters[type].thresholds = thresholds;
    }
  }
  const { fallback, statistics } = root;
  if (fallback !== undefined && !segmenters[checkString('fallback', fallback)]) {
    const types = Object.keys(segmenters).filter((type) => segmenters[type]);
    throw refuse('fallback', `a type with a segmenter (${types.join(', ')})`, fallback);
  }
  return {
    classifier: checkFileName('classifier', root.classifier),
    segmenters,
    fallback: fallback as string | undefined,
    ...(statistics !== undefined && { statistics: checkFileName('statistics', statistics) }),
  };
}

/** Refuses paths: a folder from another source must not refer to files outside itself. */
function checkFileName(option: string, value: unknown): string {
  const name = checkString(option, value);
  if (/[\\/:]/.test(name) || name === '.' || name === '..')
    throw refuse(option, 'a file name without a path', value);
  return name;
}
