import type { RawImage } from '../image/types.js';
import { limitFor } from '../inference/raise-limits.js';
import type { ScaleOptions } from '../inference/scale.js';
import type { CellSegmenter } from '../inference/segmenter.js';
import { nativeThresholds, type SegmentThresholds } from '../inference/thresholds.js';
import { Masks } from '../mask/masks.js';
import type { NativeCandidates } from '../native/contract.js';
import { type CallOptions, runJob } from '../native/job.js';
import { native } from '../native/load.js';
import type { ThresholdSet } from './threshold-grid.js';

/** The masks of an image at one mask threshold. */
interface ThresholdedMasks {
  masks: Masks;
  areas: Uint32Array;
}

/**
 * Runs the network of a segmenter once on a decoded image.
 *
 * @param options.thresholds thresholds of the forward pass: cells below its `minScore` are not found.
 * @param options.nmsThresholds the NMS thresholds for which cells can be requested.
 */
export async function candidatesOf(
  segmenter: CellSegmenter,
  image: RawImage,
  {
    thresholds,
    nmsThresholds,
    ...call
  }: CallOptions & { thresholds: SegmentThresholds & ScaleOptions; nmsThresholds: readonly number[] },
): Promise<{ candidates: Candidates; scale: number; notices: string[] }> {
  const { found, scale, notices } = await segmenter.findCandidates(image, thresholds, nmsThresholds, call);
  const { detectionsPerImage } = nativeThresholds(segmenter.config, thresholds);
  return { candidates: new Candidates(found, nmsThresholds, detectionsPerImage, image), scale, notices };
}

/** Output of one forward pass for an image, from which cells at any thresholds are computed without the network. */
export class Candidates {
  readonly #found: NativeCandidates;
  readonly #nmsThresholds: readonly number[];
  readonly #limit: number;
  readonly #size: { width: number; height: number };
  readonly #masks = new Map<number, Promise<ThresholdedMasks>>();

  /** @param limit detections per image of the model. */
  constructor(
    found: NativeCandidates,
    nmsThresholds: readonly number[],
    limit: number,
    size: { width: number; height: number },
  ) {
    this.#found = found;
    this.#nmsThresholds = nmsThresholds;
    this.#limit = limit;
    this.#size = size;
  }

  /** The cells that `segment` finds with these thresholds. */
  async cells(
    cut: ThresholdSet,
    options: CallOptions,
  ): Promise<{ masks: Masks; scores: Float32Array; labels: Int32Array }> {
    const { scores, labels, keptBy } = this.#found;
    const { masks, areas } = await this.#cutAt(cut.maskThreshold, options);
    const nms = this.#nmsThresholds.indexOf(cut.nmsThreshold);
    const kept = Array.from(scores.keys()).filter(
      (i) => keptBy[i * this.#nmsThresholds.length + nms] !== 0 && scores[i]! >= cut.minScore,
    );
    // By descending score: the limit drops the last ones.
    const limit = limitFor(
      kept.map((i) => scores[i]!),
      this.#limit,
    );
    const indices = kept.slice(0, limit).filter((i) => areas[i]! >= cut.minArea);
    const pick = (chosen: readonly number[], of: Masks) => ({
      masks: of,
      scores: Float32Array.from(chosen, (i) => scores[i]!),
      labels: Int32Array.from(chosen, (i) => labels[i]!),
    });
    if (cut.maxLost === null) return pick(indices, masks.select(indices));
    const disjoint = masks.select(indices).removeOverlaps({ maxLost: cut.maxLost });
    const left = disjoint.masks.areas();
    const large = Array.from(left.keys()).filter((i) => left[i]! >= cut.minArea);
    return pick(
      large.map((i) => indices[disjoint.kept[i]!]!),
      disjoint.masks.select(large),
    );
  }

  #cutAt(threshold: number, options: CallOptions): Promise<ThresholdedMasks> {
    const known = this.#masks.get(threshold);
    if (known) return known;
    const { width, height } = this.#size;
    const cutting = runJob({ ...(options.signal && { signal: options.signal }) }, (call) =>
      native().cutMasks(this.#found, height, width, threshold, call),
    ).then((batch) => {
      const masks = Masks.fromBatch(batch);
      return { masks, areas: masks.areas() };
    });
    this.#masks.set(threshold, cutting);
    return cutting;
  }
}
