// The decision of `scale: 'auto'`. If the network is confident about its detections in a window at scale 1, their size
// decides. Otherwise windows at half and at twice the scale are evaluated.
import type { ImageSize } from '../mask/masks.js';
import type { NativeProbe, NativeProbedBoxes } from '../native/contract.js';

/** Scales of the windows, in the order in which the network sees them. */
export const PROBED_SCALES = [1, 0.5, 2] as const;
export type ProbedScale = (typeof PROBED_SCALES)[number];

/** Pixels of the network's input in each window, as a share of those of a pass at scale 1: a third in all. */
const SHARES: Readonly<Record<ProbedScale, number>> = { 1: 0.22, 0.5: 0.05, 2: 0.06 };
/** Sides of the windows in pixels of the network's input: room for some cells, and not more than is needed. */
const SIDES = { min: 128, max: 512 } as const;

/** Pixels of the network's input per proposal: a window has room for fewer cells. */
const PROPOSAL_PIXELS = 400;

/** Proposals in a window of this side. */
export const probeProposals = (side: number): number => Math.ceil(side ** 2 / PROPOSAL_PIXELS);

/**
 * Side of the window at a scale, in pixels of the network's input: what the network pads to, so that no pixel is padding.
 *
 * @param own pixels of the network's input per pixel of the image, at scale 1.
 * @param divisible the network pads sides to a multiple of this.
 */
export function probeSide(
  { width, height }: ImageSize,
  own: number,
  scale: ProbedScale,
  divisible: number,
): number {
  const side = Math.sqrt(SHARES[scale] * width * height) * own;
  const within = Math.min(SIDES.max, Math.max(SIDES.min, side));
  return Math.max(1, Math.round(within / divisible)) * divisible;
}

/** A window at a scale, and the boxes that were found in it. */
export interface ProbedWindow extends NativeProbedBoxes {
  window: NativeProbe;
}

/** Boxes that score at least the first value are candidates for cells; from the second value on they are certain. */
const SCORES = { candidate: 0.1, certain: 0.9 } as const;
/**
 * Minimum number of certain boxes, and their minimum share of the candidates, at which the detections of a scale are
 * trusted. Half the scale needs more, because cells of an unknown kind must not be taken for large ones.
 */
const TRUSTED: Readonly<Record<ProbedScale, { share: number; count: number }>> = {
  1: { share: 0.27, count: 2 },
  0.5: { share: 0.3, count: 3 },
  2: { share: 0.27, count: 1 },
};

/**
 * Range of cell sizes, as a factor of the size in training, in which the scale stays 1, because networks find such cells
 * about equally well. Smaller and larger cells are scaled to the sizes of `TARGET`.
 */
const UNCHANGED = { min: 0.75, max: 1.9 } as const;
const TARGET = { small: 0.9, large: 1.5 } as const;
/** Smallest and largest scale by size. */
const BY_SIZE = { min: 0.35, max: 4 } as const;
/** The scale if detections are trusted at no scale, but there are candidates. */
const UNTRUSTED_SCALE = 2.8;

/** Detections in the windows of one scale. */
export interface ScaleEvidence {
  /** Number of candidates for cells. */
  candidates: number;
  /** Number of certain candidates. */
  certain: number;
  /** Median side of the certain ones, as a factor of the training diameter; NaN without any. */
  size: number;
}

/**
 * @param diameter of the training cells, in pixels of the network's input.
 */
export function evidenceOf(windows: readonly ProbedWindow[], diameter: number): ScaleEvidence {
  const sides: number[] = [];
  let candidates = 0;
  for (const { boxes, scores } of windows) {
    for (let i = 0; i < scores.length; i++) {
      if (scores[i]! < SCORES.candidate) continue;
      candidates++;
      if (scores[i]! < SCORES.certain) continue;
      const area = (boxes[4 * i + 2]! - boxes[4 * i]!) * (boxes[4 * i + 3]! - boxes[4 * i + 1]!);
      sides.push(Math.sqrt(area));
    }
  }
  sides.sort((a, b) => a - b);
  const middle = sides.length / 2;
  const median = (sides[Math.ceil(middle) - 1]! + sides[Math.floor(middle)]!) / 2;
  return { candidates, certain: sides.length, size: median / diameter };
}

const isTrusted = ({ candidates, certain }: ScaleEvidence, scale: ProbedScale): boolean =>
  certain >= TRUSTED[scale].count && certain >= TRUSTED[scale].share * candidates;

/** The scale for cells that have this size at scale 1. */
function scaleForSize(size: number): number {
  if (size >= UNCHANGED.min && size <= UNCHANGED.max) return 1;
  const wanted = (size < UNCHANGED.min ? TARGET.small : TARGET.large) / size;
  return Math.min(BY_SIZE.max, Math.max(BY_SIZE.min, wanted));
}

/**
 * The scale of an image.
 *
 * @param look returns the detections at one of {@link PROBED_SCALES}; called for as few scales as needed.
 */
export async function decideScale(look: (scale: ProbedScale) => Promise<ScaleEvidence>): Promise<number> {
  const own = await look(1);
  if (isTrusted(own, 1)) return scaleForSize(own.size);
  if (isTrusted(await look(0.5), 0.5)) return 0.5;
  const larger = await look(2);
  if (larger.candidates === 0) return 1;
  return isTrusted(larger, 2) ? 2 : UNTRUSTED_SCALE;
}
