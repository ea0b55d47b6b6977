// How `scale: 'auto'` is decided: by the boxes in one window at each of some scales.
import type { ImageSize } from '../mask/masks.js';
import type { NativeProbe, NativeProbedBoxes } from '../native/contract.js';

/** The scales that are tried, relative to the network's own resize. */
export const AUTO_SCALES: readonly number[] = [0.5, 0.7, 1, 1.4, 2, 2.8];

/**
 * Pixels that the network sees of all windows together, as a share of those of one pass at its own scale. Small inputs
 * are slower per pixel, so that they take a larger share of the time (docs/segmenting.md).
 */
const COST = 0.5;
/** Sides of the windows in pixels of the network's input: with room for some cells, and not more than is needed. */
const SIDES = { min: 144, max: 256 } as const;

/** Proposals per window, of which a window has room for fewer. */
export const PROBE_PROPOSALS = 200;

/**
 * Side of the windows in pixels of the network's input.
 *
 * @param own pixels of the network's input per pixel of the image, at the network's own scale.
 */
export function probeSide({ width, height }: ImageSize, own: number): number {
  const pixels = (COST * width * height * own ** 2) / AUTO_SCALES.length;
  return Math.min(SIDES.max, Math.max(SIDES.min, Math.floor(Math.sqrt(pixels))));
}

/** A window at a scale, and the boxes that were found in it. */
export interface ProbedWindow extends NativeProbedBoxes {
  window: NativeProbe;
}

/** Boxes below this score are no evidence. */
const LEAST_SCORE = 0.7;
/** Standard deviation of the logarithm of diameters. Smaller than in training, so that it selects. */
const SPREAD = 0.3;
/** Of the training diameter: a window has more small cells than large ones. */
const EXPECTED = 0.9;

/**
 * The share of a window that is covered by boxes with high scores, each weighted by how well its size agrees with the
 * training cells'. At a scale that suits the network it finds much, is sure of it, and it is of the sizes that it knows.
 *
 * @param diameter of the training cells, in pixels of the network's input.
 */
export function evidenceOf({ window, boxes, scores }: ProbedWindow, diameter: number): number {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! < LEAST_SCORE) continue;
    const area = (boxes[4 * i + 2]! - boxes[4 * i]!) * (boxes[4 * i + 3]! - boxes[4 * i + 1]!);
    const deviation = Math.log(Math.sqrt(area) / (EXPECTED * diameter)) / SPREAD;
    sum += Math.exp(-0.5 * deviation ** 2) * area;
  }
  return sum / (window.width * window.height);
}

/**
 * The scale with most evidence; 1 where there is none, and of equal ones the nearest to 1.
 *
 * @param probed a window for each of {@link AUTO_SCALES}, in their order.
 */
export function chooseScale(probed: readonly ProbedWindow[], diameter: number): number {
  const evidence = probed.map((one) => evidenceOf(one, diameter));
  const best = Math.max(...evidence);
  const distance = (scale: number) => Math.abs(Math.log(scale));
  return AUTO_SCALES.filter((_, i) => evidence[i] === best).reduce((nearest, scale) =>
    distance(scale) < distance(nearest) ? scale : nearest,
  );
}
