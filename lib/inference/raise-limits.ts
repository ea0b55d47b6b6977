import type { NativeSegmentOptions } from '../native/contract.js';

/** By how much limits are raised from one pass to the next. */
const FACTOR = 4;
/** The passes after the first: limits of 500 become 32,000 at most. */
const MOST_PASSES = 3;
/**
 * Proposals that reach their limit are common, as most are of no cell. They may hide cells where the cells that were
 * found are more than this share of them.
 */
const DENSE = 0.25;

/** What one pass over an image or a tile found. */
interface Found {
  scores: ArrayLike<number>;
  detectionsCapped: boolean;
  proposalsCapped: boolean;
}

/**
 * Segments again with higher limits where cells may have been lost to one: heads work through proposals and detections
 * in pieces, so more of them take time and a few kilobytes each, not memory for all at once.
 */
export async function withoutLosses<T extends Found>(
  first: NativeSegmentOptions,
  segment: (options: NativeSegmentOptions) => Promise<T>,
): Promise<T> {
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
  const { detectionsCapped, proposalsCapped, scores } = found;
  return detectionsCapped || (proposalsCapped && scores.length > DENSE * rpnPostNmsTopN);
}
