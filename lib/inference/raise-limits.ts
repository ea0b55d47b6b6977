import type { NativeCandidates, NativeSegmentOptions } from '../native/contract.js';

/** Factor by which limits are raised from one pass to the next. */
const FACTOR = 4;
/** The passes after the first: limits of 500 become 32,000 at most. */
const MAX_PASSES = 3;
/** Detections below this score are not counted as lost cells, so limits are not raised for calls with a lower `minScore`. */
const MIN_SCORE = 0.1;
/**
 * Proposals often reach their limit, because most contain no cell. Cells may be lost only if more than this share of the
 * proposals became cells.
 */
const DENSE = 0.25;

/** Result of one pass over an image or a tile. */
interface Found {
  scores: ArrayLike<number> & Iterable<number>;
  detectionsCapped: boolean;
  proposalsCapped: boolean;
}

/** Limits that were reached, so that cells may be lost. */
interface Losses {
  detections: boolean;
  /** Number of detected cells if proposals reached their limit, otherwise 0. */
  amongProposals: number;
}

/**
 * Runs a network again with higher limits if cells may have been lost. Heads process proposals and detections in chunks, so
 * more of them take time and a few kilobytes each, but not much memory.
 *
 * @returns the result of the last pass, with the options that it had.
 */
export async function withoutLosses<T>(
  first: NativeSegmentOptions,
  run: (options: NativeSegmentOptions) => Promise<T>,
  lossesIn: (found: T, options: NativeSegmentOptions) => Losses,
): Promise<{ found: T; options: NativeSegmentOptions }> {
  let options = first;
  let found = await run(options);
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const losses = lossesIn(found, options);
    if (!losses.detections && !areDense(losses, options)) break;
    options = {
      ...options,
      detectionsPerImage: FACTOR * options.detectionsPerImage,
      rpnPreNmsTopN: FACTOR * options.rpnPreNmsTopN,
      rpnPostNmsTopN: FACTOR * options.rpnPostNmsTopN,
    };
    found = await run(options);
  }
  return { found, options };
}

/**
 * Segments an image or a tile, with higher limits if `raises` and cells may have been lost. `proposalsCapped` of the result
 * states whether cells may be lost among the dropped proposals, not whether any were dropped: that is common.
 */
export async function segmentWithinLimits<T extends Found>(
  request: NativeSegmentOptions,
  run: (options: NativeSegmentOptions) => Promise<T>,
  { raises }: { raises: boolean },
): Promise<T> {
  const { found, options } = raises
    ? await withoutLosses(request, run, lossesOf)
    : { found: await run(request), options: request };
  return { ...found, proposalsCapped: areDense(lossesOf(found, options), options) };
}

/** Whether so many of the proposals became cells that there may be cells among the dropped ones. */
const areDense = ({ amongProposals }: Losses, { rpnPostNmsTopN }: NativeSegmentOptions): boolean =>
  amongProposals > DENSE * rpnPostNmsTopN;

/** The limits that a pass over an image or a tile reached. */
export function lossesOf(
  { scores, detectionsCapped, proposalsCapped }: Found,
  { scoreThreshold }: NativeSegmentOptions,
): Losses {
  const cells = countOfCells(scores);
  // The limit drops the lowest scores: if the lowest remaining score is below MIN_SCORE, no cell was lost.
  const dropped = scoreThreshold >= MIN_SCORE || cells === scores.length;
  return { detections: detectionsCapped && dropped, amongProposals: proposalsCapped ? cells : 0 };
}

/** The limits that candidates of an image reached, at the NMS threshold with the most dropped detections. */
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
