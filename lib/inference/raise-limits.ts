import type { NativeCandidates, NativeSegmentOptions } from '../native/contract.js';

/** Factor by which limits are raised from one pass to the next. */
const FACTOR = 4;
/** The passes after the first: limits of 500 become 32,000 at most. */
const MAX_PASSES = 3;
/** Detections below this score are no cells that could be lost, so calls that ask for them get the model's limits. */
const MIN_SCORE = 0.1;
/**
 * Proposals that reach their limit are common, as most are of no cell. They may hide cells where the cells that were
 * found are more than this share of them.
 */
const DENSE = 0.25;

/** What one pass over an image or a tile found. */
interface Found {
  scores: ArrayLike<number> & Iterable<number>;
  detectionsCapped: boolean;
  proposalsCapped: boolean;
}

/** What reached a limit so that cells may be lost. */
interface Losses {
  detections: boolean;
  /** Cells that were found, where proposals reached their limit; 0 where they did not. */
  amongProposals: number;
}

/**
 * Runs a network again with higher limits where cells may have been lost to one: heads work through proposals and
 * detections in pieces, so more of them take time and a few kilobytes each, not memory for all at once.
 */
export async function withoutLosses<T>(
  first: NativeSegmentOptions,
  run: (options: NativeSegmentOptions) => Promise<T>,
  lossesIn: (found: T, options: NativeSegmentOptions) => Losses,
): Promise<T> {
  let options = first;
  let found = await run(options);
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const { detections, amongProposals } = lossesIn(found, options);
    if (!detections && amongProposals <= DENSE * options.rpnPostNmsTopN) break;
    options = {
      ...options,
      detectionsPerImage: FACTOR * options.detectionsPerImage,
      rpnPreNmsTopN: FACTOR * options.rpnPreNmsTopN,
      rpnPostNmsTopN: FACTOR * options.rpnPostNmsTopN,
    };
    found = await run(options);
  }
  return found;
}

/** What a pass over an image or a tile lost. */
export function lossesOf(
  { scores, detectionsCapped, proposalsCapped }: Found,
  { scoreThreshold }: NativeSegmentOptions,
): Losses {
  const cells = countOfCells(scores);
  // The limit drops the lowest scores, so below MIN_SCORE it is the lowest that is left which tells.
  const dropped = scoreThreshold >= MIN_SCORE || cells === scores.length;
  return { detections: detectionsCapped && dropped, amongProposals: proposalsCapped ? cells : 0 };
}

/** What the candidates of an image lost, at the NMS threshold that lost most. */
export function lossesOfCandidates({ droppedScore, proposalsCapped, scores }: NativeCandidates): Losses {
  return {
    detections: droppedScore >= MIN_SCORE,
    amongProposals: proposalsCapped ? countOfCells(scores) : 0,
  };
}

/** The limit with which `segment` ends for detections of these scores, given all there are. */
export function limitFor(scores: readonly number[], limit: number): number {
  const cells = countOfCells(scores);
  let raised = limit;
  for (let pass = 0; pass < MAX_PASSES && raised < scores.length && cells >= raised; pass++) raised *= FACTOR;
  return raised;
}

function countOfCells(scores: Iterable<number>): number {
  let count = 0;
  for (const score of scores) if (score >= MIN_SCORE) count++;
  return count;
}
