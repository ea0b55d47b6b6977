import { CellrouteError } from '../errors.js';
import type { FastaiExport, WeightsFile } from '../weights/table.js';

/** Metadata key of a safetensors file that holds the network's configuration as JSON. */
export const CONFIG_KEY = 'cellroute.config';
/** Metadata key of the data that a converted fastai export contained besides tensors, as JSON. */
export const FASTAI_KEY = 'cellroute.fastai';

/**
 * Reads the configuration stored in a weights file, without validating it.
 *
 * @throws {CellrouteError} WEIGHTS_MISMATCH if it describes another kind of network, WEIGHTS_DAMAGED if it is not JSON.
 */
export function readStoredConfig(file: WeightsFile, kind: 'mask-rcnn' | 'classifier'): object | undefined {
  const stored = readMetadata(file, CONFIG_KEY, 'configuration');
  if (stored === undefined) return undefined;
  const found = (stored as { kind?: unknown }).kind;
  if (found !== undefined && found !== kind) {
    throw new CellrouteError('WEIGHTS_MISMATCH', `${file.path} holds a ${String(found)}, not a ${kind}`, {
      file: file.path,
      expected: kind,
      got: String(found),
    });
  }
  return stored;
}

/** The object that a metadata entry contains as JSON. */
function readMetadata(file: WeightsFile, key: string, what: string): object | undefined {
  const text = file.metadata[key];
  if (text === undefined) return undefined;
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch (cause) {
    throw new CellrouteError(
      'WEIGHTS_DAMAGED',
      `${file.path}: its ${what} is not JSON`,
      { file: file.path },
      { cause },
    );
  }
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) {
    throw new CellrouteError('WEIGHTS_DAMAGED', `${file.path}: its ${what} is not an object`, {
      file: file.path,
    });
  }
  return stored;
}

/**
 * The data of a fastai export besides its tensors, also of a converted one. Values are not validated there.
 *
 * @throws {CellrouteError} WEIGHTS_DAMAGED if the metadata are not JSON.
 */
export const readStoredFastai = (file: WeightsFile): FastaiExport | undefined =>
  file.fastai ?? (readMetadata(file, FASTAI_KEY, 'fastai export') as FastaiExport | undefined);

/** Merges `over` into `base`: objects are merged recursively, all other values (lists too) are replaced. */
export function mergeConfig(base: object, over: object | undefined): object {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over ?? {})) {
    const below = (base as Record<string, unknown>)[key];
    const both = [below, value].every(
      (side) => typeof side === 'object' && side !== null && !Array.isArray(side),
    );
    if (value !== undefined) result[key] = both ? mergeConfig(below as object, value as object) : value;
  }
  return result;
}
