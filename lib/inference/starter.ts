import { join } from 'node:path';
import { checkOneOf, type RefusalCode } from '../check.js';
import { readEnsembleFile, starterFolder } from './ensemble-file.js';
import type { SegmentThresholds } from './thresholds.js';

/** A segmenter of the starter ensemble. */
export interface StarterSegmenter {
  type: string;
  /** File of its weights. */
  path: string;
  thresholds: SegmentThresholds;
}

/** The segmenters of the starter ensemble. */
export async function starterSegmenters(): Promise<StarterSegmenter[]> {
  const { segmenters } = await readEnsembleFile(starterFolder);
  return Object.entries(segmenters).flatMap(([type, entry]) =>
    entry ? [{ type, path: join(starterFolder, entry.weights), thresholds: entry.thresholds ?? {} }] : [],
  );
}

/**
 * The starter segmenter of a type.
 *
 * @param option names the type in the error.
 * @throws {CellrouteError} where the starter ensemble has no such type.
 */
export async function starterSegmenter(
  type: unknown,
  option: string,
  code?: RefusalCode,
): Promise<StarterSegmenter> {
  const all = await starterSegmenters();
  const name = checkOneOf(
    option,
    type,
    all.map((one) => one.type),
    code,
  );
  return all.find((one) => one.type === name)!;
}
