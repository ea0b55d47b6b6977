import { checkNumber, checkOneOf, checkOptions, refuse } from '../check.js';
import type { ClassifierConfig } from '../config/classifier.js';
import { centredPart, type ImageRegion } from '../image/centred-part.js';
import type { ImageSize } from '../mask/masks.js';
import type { NativeExplainOptions, NativeExplanation } from '../native/contract.js';
import { CALL_OPTION_KEYS, type CallOptions } from '../native/job.js';
import { checkQueueOptions, QUEUE_OPTION_KEYS, type QueueOptions } from './queue.js';

export const EXPLAIN_METHODS = ['integrated-gradients', 'occlusion', 'grad-cam'] as const;

/**
 * - `integrated-gradients` (Sundararajan, Taly, Yan 2017): gradients along the path from a baseline to the image. The
 *   values sum to the difference of the two logits; more steps give a smaller error.
 * - `occlusion` (Zeiler, Fergus 2014): decrease of the logit when the baseline covers a square.
 * - `grad-cam` (Selvaraju et al. 2017): the maps of the last layer weighted by their gradients; coarse, never negative.
 */
export type ExplainMethod = (typeof EXPLAIN_METHODS)[number];

/** Options of {@link CellClassifier.explain}. */
export interface ExplainOptions extends CallOptions, QueueOptions {
  /** Default `integrated-gradients`. */
  method?: ExplainMethod | undefined;
  /** Class whose logit is explained. Default: the class with the highest probability. */
  target?: string | undefined;
  /** Baseline image: every pixel has the mean of the configuration (default), or is black. */
  baseline?: 'mean' | 'black' | undefined;
  /** Number of points on the path of `integrated-gradients`, 1 to 10,000. Default 32. */
  steps?: number | undefined;
  /** Side of the square of `occlusion`, in pixels of the network's input. Default: a seventh of its shorter side. */
  patch?: number | undefined;
  /** Step of the square in pixels, at most `patch`, so that every pixel is covered. Default: half of `patch`. */
  stride?: number | undefined;
}

/** How much each pixel of an image contributes to a class. Plain data but for its methods. */
export class Explanation {
  readonly method: ExplainMethod;
  /** The class that is explained. */
  readonly target: string;
  /** Size of the network's input in pixels. */
  readonly width: number;
  readonly height: number;
  /**
   * Value per pixel of the network's input, in row order: above 0 the pixel raises the target's logit, below 0 it lowers
   * it. In units of the logit; `grad-cam` has no unit.
   */
  readonly values: Float32Array;
  /** Logit of each class, for the image and for the baseline. */
  readonly logits: Readonly<Record<string, number>>;
  readonly baselineLogits: Readonly<Record<string, number>>;
  /** Size of the image in pixels. */
  readonly image: Readonly<ImageSize>;
  readonly region: Readonly<ImageRegion>;

  /** @internal */
  constructor(method: ExplainMethod, native: NativeExplanation, config: ClassifierConfig, image: ImageSize) {
    const { classNames, resize } = config;
    const named = (logits: Float32Array) =>
      Object.fromEntries(classNames.map((name, i) => [name, logits[i]!]));
    this.method = method;
    this.target = classNames[native.target]!;
    this.width = native.width;
    this.height = native.height;
    this.values = native.values;
    this.logits = named(native.logits);
    this.baselineLogits = named(native.baselineLogits);
    this.image = { width: image.width, height: image.height };
    this.region = resize?.method === 'crop' ? centredPart(image, resize) : { x: 0, y: 0, ...this.image };
  }

  /** Probability of the target, 0 to 1. */
  get probability(): number {
    const logits = Object.values(this.logits);
    const highest = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
    return Math.exp(this.logits[this.target]! - highest) / sum;
  }

  /**
   * The values interpolated to the image.
   *
   * ```ts
   * const values = explanation.toImage();
   * values[y * explanation.image.width + x]; // in units of the logit
   * ```
   *
   * @returns one value per pixel of the image in rows; 0 outside `region`.
   */
  toImage(): Float32Array {
    return this.toGrid(this.values, this.image);
  }

  /** Maps values of the network's input to a grid over the whole image. @internal */
  toGrid(values: Float32Array, { width, height }: ImageSize): Float32Array {
    const { region, image } = this;
    const columns = positions(width, image.width, region.x, region.width, this.width);
    const rows = positions(height, image.height, region.y, region.height, this.height);
    const mapped = new Float32Array(width * height);
    rows.forEach((row, y) => {
      if (row === undefined) return;
      const upper = row.first * this.width;
      const lower = row.second * this.width;
      columns.forEach((column, x) => {
        if (column === undefined) return;
        const { first, second, share } = column;
        mapped[y * width + x] = mix(
          mix(values[upper + first]!, values[upper + second]!, share),
          mix(values[lower + first]!, values[lower + second]!, share),
          row.share,
        );
      });
    });
    return mapped;
  }
}

const mix = (a: number, b: number, share: number) => a + (b - a) * share;

interface Position {
  first: number;
  second: number;
  /** Weight of the second value, 0 to 1. */
  share: number;
}

/** For the centre of each of `count` squares, the two neighbouring values of `inputs`; undefined outside. */
function positions(
  count: number,
  side: number,
  start: number,
  length: number,
  inputs: number,
): (Position | undefined)[] {
  return Array.from({ length: count }, (_, i) => {
    const place = ((i + 0.5) * side) / count - start;
    if (place < 0 || place >= length) return undefined;
    const at = Math.min(inputs - 1, Math.max(0, (place * inputs) / length - 0.5));
    const first = Math.floor(at);
    return { first, second: Math.min(first + 1, inputs - 1), share: at - first };
  });
}

/** The options for native code, complete. `input` is the size of the network's input. */
export function checkExplainOptions(
  options: ExplainOptions,
  classNames: readonly string[],
  input: ImageSize,
  more: readonly string[] = [],
): NativeExplainOptions {
  const own = ['method', 'target', 'baseline', 'steps', 'patch', 'stride'];
  checkOptions(options, [...own, ...more, ...CALL_OPTION_KEYS, ...QUEUE_OPTION_KEYS]);
  checkQueueOptions(options);
  const { target } = options;
  if (target !== undefined && !classNames.includes(target)) {
    throw refuse('target', `one of ${classNames.join(', ')}`, target);
  }
  const whole = { min: 1, max: 10_000, integer: true };
  const seventh = Math.max(1, Math.round(Math.min(input.width, input.height) / 7));
  const patch = checkNumber('patch', options.patch ?? seventh, { ...whole, max: 1 << 16 });
  return {
    method: checkOneOf('method', options.method ?? 'integrated-gradients', EXPLAIN_METHODS),
    target: target === undefined ? null : classNames.indexOf(target),
    baseline: checkOneOf('baseline', options.baseline ?? 'mean', ['mean', 'black']),
    steps: checkNumber('steps', options.steps ?? 32, whole),
    patch,
    stride: checkNumber('stride', options.stride ?? Math.ceil(patch / 2), { ...whole, max: patch }),
  };
}
