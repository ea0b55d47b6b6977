import { copyFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { SignalOptions } from '../abort.js';
import { checkBoolean, checkKeys, checkObject, checkString } from '../check.js';
import { CellrouteError } from '../errors.js';
import { unwritable } from '../file-errors.js';
import { withFolderLock } from '../folder-lock.js';
import { type EnsembleFile, readEnsembleFile, starterFolder } from '../inference/ensemble-file.js';
import { findModel, findSegmenter, mismatch } from '../inference/model-path.js';
import { CellSegmenter } from '../inference/segmenter.js';
import { checkThresholds, type SegmentThresholds, THRESHOLD_KEYS } from '../inference/thresholds.js';
import { type EnsembleParts, type SegmenterPart, writeEnsemble } from '../inference/write-ensemble.js';
import { Outputs } from '../outputs.js';

/** An ensemble in its folder, whose segmenters are not loaded. */
export interface StoredEnsemble extends EnsembleFile {
  folder: string;
}

/**
 * Reads the ensemble at a model path.
 *
 * @throws {CellrouteError} WEIGHTS_MISMATCH for a single network, FILE_UNREADABLE, ENSEMBLE_INVALID.
 */
export async function storedEnsemble(path: string): Promise<StoredEnsemble> {
  const found = await findModel(path);
  if (found.kind === 'ensemble') {
    return { folder: found.folder, ...(await readEnsembleFile(found.folder)) };
  }
  const got = found.kind === 'run' ? `the run of a ${found.network}` : 'a file';
  throw mismatch(path, 'an ensemble', got);
}

/** Where a changed ensemble is written, and whether files that cellroute did not write there are overwritten. */
export interface WriteOptions {
  /** Folder of the changed ensemble; created if missing. Default: the folder of the ensemble itself. */
  out?: string | undefined;
  /** Overwrites files that cellroute did not write, or that were changed since. Default false. */
  force?: boolean | undefined;
}

/** The segmenter of a type as a part of the changed ensemble, where the type may have another name. */
export type KeptSegmenter = (type: string, newName?: string) => SegmenterPart | null;

/**
 * Writes a changed ensemble. Segmenters that it keeps are copied byte by byte, or stay where they are.
 *
 * @param change makes the parts. Called while the folder is locked.
 * @throws {CellrouteError} RUN_LOCKED where another process has changed the ensemble since it was read; FILE_UNWRITABLE; an abort
 *   rejects with `signal.reason`, and the ensemble is then as it was.
 */
export async function writeChanged(
  ensemble: StoredEnsemble,
  { out = ensemble.folder, force, signal }: WriteOptions & SignalOptions,
  change: (kept: KeptSegmenter) => Promise<EnsembleParts>,
): Promise<void> {
  checkString('out', out);
  if (force !== undefined) checkBoolean('force', force);
  const { folder, segmenters } = ensemble;
  const outputs = new Outputs({ force });
  const isSame = resolve(out) === resolve(folder);
  const kept: KeptSegmenter = (type, newName = type) => {
    const entry = segmenters[type];
    if (!entry) return null;
    const { weights, thresholds } = entry;
    const from = join(folder, weights);
    const stays = isSame && newName === type;
    return { weights: stays ? weights : (to) => copyFile(from, to).catch(unwritable(to)), thresholds };
  };
  await withFolderLock(out, async () => {
    await checkUnchanged(ensemble);
    await writeEnsemble(out, await change(kept), outputs, signal);
  });
}

/** Another process may have changed the ensemble before this one had the lock. */
async function checkUnchanged({ folder, ...before }: StoredEnsemble): Promise<void> {
  if (isDeepStrictEqual(before, await readEnsembleFile(folder))) return;
  throw new CellrouteError(
    'RUN_LOCKED',
    `The ensemble in ${folder} was changed by another process meanwhile: repeat this change`,
    { file: folder },
  );
}

/** Refuses to change the starter ensemble itself, which belongs to the package. */
export function checkOut(folder: string, out: string | undefined): void {
  if (out !== undefined) checkString('out', out);
  if (resolve(out ?? folder) !== resolve(starterFolder)) return;
  throw new CellrouteError(
    'INVALID_ARGUMENT',
    'The starter ensemble itself cannot be changed: pass out (--out), another folder than that of the starter ensemble',
    { option: 'out', expected: 'another folder than that of the starter ensemble', got: String(out) },
  );
}

/**
 * The segmenter at a model path as a part of an ensemble; null for a type without one.
 *
 * @param option names the path in errors.
 * @param thresholds default: those of the model.
 */
export async function segmenterPart(
  option: string,
  path: string | null,
  thresholds: SegmentThresholds | undefined,
  signal: AbortSignal | undefined,
): Promise<SegmenterPart | null> {
  if (thresholds !== undefined) {
    const name = option.replace('segmenter', 'thresholds');
    checkKeys(name, checkObject(name, thresholds), THRESHOLD_KEYS);
    checkThresholds(thresholds, name);
  }
  if (path === null) return null;
  const found = await findSegmenter(checkString(option, path));
  const own = thresholds ?? found.thresholds;
  return {
    weights: async (to) => {
      const segmenter = await CellSegmenter.load(found.file, { signal });
      await segmenter.save(to).finally(() => segmenter.dispose());
    },
    ...(Object.keys(own).length > 0 && { thresholds: own }),
  };
}
