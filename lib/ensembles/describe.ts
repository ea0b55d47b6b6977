import { join } from 'node:path';
import { starterFolder } from '../inference/ensemble-file.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { openWeights } from '../weights/open.js';
import { readIfStored } from './router.js';
import { storedEnsemble } from './stored.js';

/** A cell type of an ensemble. */
export interface DescribedType {
  type: string;
  /** File of its segmenter with its size in bytes; null for a type without one. */
  segmenter: { file: string; bytes: number } | null;
  thresholds: SegmentThresholds | null;
  /** Number of images that the router's statistics are of; null without statistics. */
  images: number | null;
}

/** An ensemble in its folder. */
export interface DescribedEnsemble {
  folder: string;
  /** In the order of `ensemble.json`. */
  types: DescribedType[];
  fallback: string | null;
  /** Whether types can be added without images of these. */
  hasStatistics: boolean;
}

/**
 * Describes an ensemble in its folder. No network is loaded.
 *
 * @param ensemble model path of the ensemble. Default: the starter ensemble.
 * @throws {CellrouteError} FILE_UNREADABLE, ENSEMBLE_INVALID; WEIGHTS_MISMATCH for a single network.
 */
export async function describeEnsemble(ensemble?: string): Promise<DescribedEnsemble> {
  const stored = await storedEnsemble(ensemble ?? starterFolder);
  const { folder, segmenters, fallback = null } = stored;
  const statistics = await readIfStored(stored);
  const types: DescribedType[] = [];
  for (const [type, entry] of Object.entries(segmenters)) {
    const file = entry && join(folder, entry.weights);
    types.push({
      type,
      segmenter: file === null ? null : { file, bytes: (await openWeights(file)).size },
      thresholds: entry?.thresholds ?? null,
      images: statistics?.types.get(type)?.images ?? null,
    });
  }
  return { folder, types, fallback, hasStatistics: statistics !== undefined };
}
