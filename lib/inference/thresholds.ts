// The one definition of every threshold. Options, command-line flags, the native request, the tuning grid, the
// training configuration and the documentation are derived from it.
import { checkKeys, checkNumber, checkObject, type NumberRange, type RefusalCode, refuse } from '../check.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import type { NativeSegmentOptions } from '../native/contract.js';

/** How {@link CellSegmenter.segment} treats pixels that several cells share. */
export type OverlapRemoval = boolean | { maxLost: number };

/** Thresholds that decide which pixels become cells. */
export interface SegmentThresholds {
  /** Cells that score at least this are kept. Score, 0 to 1; default 0.5. */
  minScore?: number;
  /** Pixels with a higher probability belong to the cell. Probability, 0 to 1; default 0.5. */
  maskThreshold?: number;
  /** Cells with at least this many pixels are kept. Pixels, 0 to 4294967295; default 0. */
  minArea?: number;
  /** Of two boxes of one class with a higher IoU, the one with the lower score is dropped. IoU, 0 to 1; default box.nmsThreshold of the model. */
  nmsThreshold?: number;
  /** Cells per image. Where the image is cut into tiles, the model's own limit applies to each tile. Cells, 1 to 1000000; default box.detectionsPerImage of the model. */
  detectionsPerImage?: number;
  /** Thresholds of the region proposal network. */
  rpn?: {
    /** Proposals per level that enter the NMS, by score. Proposals, 1 to 1000000; default rpn.preNmsTopN of the model. */
    preNmsTopN?: number;
    /** Proposals per image that leave the NMS. Proposals, 1 to 1000000; default rpn.postNmsTopN of the model. */
    postNmsTopN?: number;
    /** Of two proposals with a higher IoU, the one with the lower score is dropped. IoU, 0 to 1; default rpn.nmsThreshold of the model. */
    nmsThreshold?: number;
    /** Proposals that score at least this are kept. Score, 0 to 1; default rpn.scoreThreshold of the model. */
    scoreThreshold?: number;
  };
  /**
   * Whether each pixel belongs to one cell only, the one with the highest score. `true` keeps every cell that has a
   * pixel left; `{ maxLost }` drops a cell that loses more than this share of its pixels. Share, 0 to 1; default false.
   */
  removeOverlaps?: OverlapRemoval;
}

/** One numeric threshold. */
export interface ThresholdSpec {
  /** Inclusive. */
  readonly range: Required<Omit<NumberRange, 'integer'>> & { readonly integer?: boolean };
  readonly unit: string;
  /** A number, or a function of the network's configuration. */
  readonly default: number | ((config: MaskRCNNConfig) => number);
  /** Text of the default in documentation and `--help`. */
  readonly defaultText: string;
  readonly description: string;
  /** Name in the native request. */
  readonly native: keyof NativeSegmentOptions;
  /** Values that `tune` tries; undefined if `tune` does not change the threshold. */
  readonly grid?: readonly number[];
}

const share = { min: 0, max: 1 } as const;
const count = { min: 1, max: 1_000_000, integer: true } as const;

/** Numbers from `first` to `last`, two digits each. */
const steps = (first: number, last: number, step: number): readonly number[] =>
  Array.from({ length: Math.round((last - first) / step) + 1 }, (_, i) =>
    Number((first + i * step).toFixed(2)),
  );

/** All numeric thresholds by name; `rpn.` is the prefix of the nested object. */
export const THRESHOLDS = {
  minScore: {
    range: share,
    unit: 'score',
    default: 0.5,
    defaultText: '0.5',
    description: 'Cells that score at least this are kept.',
    native: 'scoreThreshold',
    grid: steps(0.05, 0.95, 0.05),
  },
  maskThreshold: {
    range: share,
    unit: 'probability',
    default: 0.5,
    defaultText: '0.5',
    description: 'Pixels with a higher probability belong to the cell.',
    native: 'maskThreshold',
    grid: steps(0.3, 0.7, 0.05),
  },
  nmsThreshold: {
    range: share,
    unit: 'IoU',
    default: ({ box }) => box.nmsThreshold,
    defaultText: 'box.nmsThreshold of the model',
    description: 'Of two boxes of one class with a higher IoU, the one with the lower score is dropped.',
    native: 'nmsThreshold',
    grid: steps(0.2, 0.7, 0.1),
  },
  minArea: {
    range: { min: 0, max: 0xffffffff, integer: true },
    unit: 'pixels',
    default: 0,
    defaultText: '0',
    description: 'Cells with at least this many pixels are kept.',
    native: 'minArea',
    grid: [0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256],
  },
  detectionsPerImage: {
    range: count,
    unit: 'cells',
    default: ({ box }) => box.detectionsPerImage,
    defaultText: 'box.detectionsPerImage of the model',
    description:
      "Cells per image. Where the image is cut into tiles, the model's own limit applies to each tile.",
    native: 'detectionsPerImage',
  },
  'rpn.preNmsTopN': {
    range: count,
    unit: 'proposals',
    default: ({ rpn }) => rpn.preNmsTopN,
    defaultText: 'rpn.preNmsTopN of the model',
    description: 'Proposals per level that enter the NMS, by score.',
    native: 'rpnPreNmsTopN',
  },
  'rpn.postNmsTopN': {
    range: count,
    unit: 'proposals',
    default: ({ rpn }) => rpn.postNmsTopN,
    defaultText: 'rpn.postNmsTopN of the model',
    description: 'Proposals per image that leave the NMS.',
    native: 'rpnPostNmsTopN',
  },
  'rpn.nmsThreshold': {
    range: share,
    unit: 'IoU',
    default: ({ rpn }) => rpn.nmsThreshold,
    defaultText: 'rpn.nmsThreshold of the model',
    description: 'Of two proposals with a higher IoU, the one with the lower score is dropped.',
    native: 'rpnNmsThreshold',
  },
  'rpn.scoreThreshold': {
    range: share,
    unit: 'score',
    default: ({ rpn }) => rpn.scoreThreshold,
    defaultText: 'rpn.scoreThreshold of the model',
    description: 'Proposals that score at least this are kept.',
    native: 'rpnScoreThreshold',
  },
} as const satisfies Record<string, ThresholdSpec>;

/** Name of a numeric threshold in {@link THRESHOLDS}. */
export type ThresholdName = keyof typeof THRESHOLDS;

/** The specification under a name, without the literal types of the table. */
export const thresholdSpec = (name: ThresholdName): ThresholdSpec => THRESHOLDS[name];

export const THRESHOLD_NAMES = Object.keys(THRESHOLDS) as readonly ThresholdName[];

/** `removeOverlaps`, the only threshold that is not a number. */
export const REMOVE_OVERLAPS = {
  range: share,
  unit: 'share',
  default: false,
  defaultText: 'false',
  description:
    'Each pixel belongs to one cell only, the one with the highest score. `true` keeps every cell that has a pixel left; `{ maxLost }` drops a cell that loses more than this share of its pixels.',
  /** `maxLost` for `true`: only a cell without any pixel left is dropped. */
  maxLost: 1,
  /** Values that `tune` tries; null for no overlap removal. */
  grid: [null, 0.2, 0.4, 0.6, 0.8],
} as const;

/** Keys of {@link SegmentThresholds}. */
export const THRESHOLD_KEYS: readonly string[] = [
  ...new Set(THRESHOLD_NAMES.map((name) => name.split('.')[0]!)),
  'removeOverlaps',
];
const RPN_KEYS = THRESHOLD_NAMES.flatMap((name) => (name.startsWith('rpn.') ? [name.slice(4)] : []));

/** Value of a threshold by name; undefined if the caller did not set it. */
function givenThreshold(thresholds: SegmentThresholds, name: ThresholdName): number | undefined {
  const values: Record<string, unknown> = name.startsWith('rpn.') ? { ...thresholds.rpn } : { ...thresholds };
  return values[name.slice(name.indexOf('.') + 1)] as number | undefined;
}

/** Thresholds from their names and values; those of `rpn.` go into the nested object. */
export function thresholdsFrom(values: readonly (readonly [ThresholdName, number])[]): SegmentThresholds {
  const rpn = values.flatMap(([name, value]) => (name.startsWith('rpn.') ? [[name.slice(4), value]] : []));
  return {
    ...Object.fromEntries(values.filter(([name]) => !name.startsWith('rpn.'))),
    ...(rpn.length > 0 && { rpn: Object.fromEntries(rpn) as NonNullable<SegmentThresholds['rpn']> }),
  };
}

/**
 * Refuses thresholds out of range.
 *
 * @param path location of the thresholds for errors, such as `thresholds.astro`; empty for the options themselves.
 */
export function checkThresholds(thresholds: SegmentThresholds, path: string): void {
  const at = (key: string) => (path ? `${path}.${key}` : key);
  if (thresholds.rpn !== undefined) {
    checkKeys(at('rpn'), checkObject(at('rpn'), thresholds.rpn), RPN_KEYS);
  }
  for (const name of THRESHOLD_NAMES) {
    const value = givenThreshold(thresholds, name);
    if (value !== undefined) checkNumber(at(name), value, thresholdSpec(name).range);
  }
  maxLostOf(thresholds.removeOverlaps, at('removeOverlaps'));
}

/** Share of its pixels that a cell may lose before it is dropped; null without overlap removal. */
export function maxLostOf(
  removeOverlaps: unknown = REMOVE_OVERLAPS.default,
  option = 'removeOverlaps',
  code?: RefusalCode,
): number | null {
  if (typeof removeOverlaps === 'boolean') return removeOverlaps ? REMOVE_OVERLAPS.maxLost : null;
  if (typeof removeOverlaps !== 'object' || removeOverlaps === null) {
    throw refuse(option, 'true, false or { maxLost }', removeOverlaps, code);
  }
  const { maxLost } = checkObject(option, removeOverlaps, code);
  checkKeys(option, removeOverlaps, ['maxLost'], code);
  return checkNumber(`${option}.maxLost`, maxLost, REMOVE_OVERLAPS.range, code);
}

/** Value of a threshold: the caller's, otherwise the default of this network. */
export function resolveThreshold(
  name: ThresholdName,
  thresholds: SegmentThresholds,
  config: MaskRCNNConfig,
): number {
  const { default: fallback } = thresholdSpec(name);
  return givenThreshold(thresholds, name) ?? (typeof fallback === 'number' ? fallback : fallback(config));
}

/** Complete thresholds for native code. */
export function nativeThresholds(
  config: MaskRCNNConfig,
  thresholds: SegmentThresholds,
): Omit<NativeSegmentOptions, 'intensity' | 'scale' | 'profile'> {
  const value = (name: ThresholdName) => resolveThreshold(name, thresholds, config);
  return {
    ...(Object.fromEntries(
      THRESHOLD_NAMES.map((name) => [thresholdSpec(name).native, value(name)]),
    ) as Record<(typeof THRESHOLDS)[ThresholdName]['native'], number>),
    // The model's own threshold applies in addition. A box with a lower score never suppresses one with a higher
    // score, so this gives the same cells as filtering afterwards.
    scoreThreshold: Math.max(config.box.scoreThreshold, justBelow(value('minScore'))),
    maxLost: maxLostOf(thresholds.removeOverlaps),
  };
}

/**
 * The largest float32 below a number. Native code keeps float32 scores above its threshold, as torchvision does for
 * `box_score_thresh`; with this value it keeps those that are at least `value`.
 */
export function justBelow(value: number): number {
  const rounded = Math.fround(value);
  if (rounded < value) return rounded;
  const bits = new Int32Array(Float32Array.of(rounded).buffer);
  // Floats of one sign are ordered like their bits. Below 0 is the smallest negative number.
  bits[0] = rounded === 0 ? -0x7fffffff : rounded > 0 ? bits[0]! - 1 : bits[0]! + 1;
  return new Float32Array(bits.buffer)[0]!;
}
