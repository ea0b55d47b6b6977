import type {
  NativeSegmentation,
  NativeSegmentOptions,
  NativeTiledSegmentation,
} from '../native/contract.js';

/** By how much limits are raised from one pass to the next. */
const FACTOR = 4;
/** The passes after the first: limits of 500 become 32,000 at most. */
const MOST_PASSES = 3;
/**
 * Proposals that reach their limit are common, as most are of no cell. They may hide cells where the cells that were
 * found in a tile are more than this share of them.
 */
const DENSE = 0.25;

type Found = NativeSegmentation | NativeTiledSegmentation;

/**
 * Segments again with higher limits where cells may have been lost to one: heads work through proposals and detections
 * in pieces, so more of them take time and a few kilobytes each, not memory for all at once.
 */
export async function withoutLosses(
  first: NativeSegmentOptions,
  segment: (options: NativeSegmentOptions) => Promise<Found>,
): Promise<Found> {
  let options = first;
  let found = await segment(options);
  for (let pass = 0; pass < MOST_PASSES && losesCells(found, options); pass++) {
    options = {
      ...options,
      detectionsPerImage: FACTOR * options.detectionsPerImage,
      rpnPreNmsTopN: FACTOR * options.rpnPreNmsTopN,
      rpnPostNmsTopN: FACTOR * options.rpnPostNmsTopN,
    };
    found = await segment(options);
  }
  return found;
}

function losesCells(found: Found, { rpnPostNmsTopN }: NativeSegmentOptions): boolean {
  return found.detectionsCapped || (found.proposalsCapped && mostInTile(found) > DENSE * rpnPostNmsTopN);
}

/** Cells of the tile that has most of them; of the image where it was not cut. */
function mostInTile(found: Found): number {
  if (!('onSeam' in found)) return found.scores.length;
  const counts = new Map<number, number>();
  const { seamsX, seamsY, boxes } = found;
  const before = (seams: ArrayLike<number>, at: number) => {
    let count = 0;
    while (count < seams.length && seams[count]! < at) count++;
    return count;
  };
  for (let i = 0; i < found.scores.length; i++) {
    const x = (boxes[4 * i]! + boxes[4 * i + 2]!) / 2;
    const y = (boxes[4 * i + 1]! + boxes[4 * i + 3]!) / 2;
    const tile = before(seamsY, y) * (seamsX.length + 1) + before(seamsX, x);
    counts.set(tile, (counts.get(tile) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}
