import { checkKeys, checkNumber, checkObject, refuse } from '../check.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import {
  maxLostOf,
  REMOVE_OVERLAPS,
  resolveThreshold,
  type SegmentThresholds,
  THRESHOLDS,
} from '../inference/thresholds.js';
import type { Point } from './coordinate-ascent.js';

/** The numeric thresholds that are tuned, in the order of the grid's axes; `maxLost` is the last axis. */
const NAMES = ['minScore', 'maskThreshold', 'nmsThreshold', 'minArea'] as const;

/** Values that are tried for each threshold. */
export interface TuneGrid {
  /** Default 0.05 to 0.95 in steps of 0.05. */
  minScore?: readonly number[];
  /** Default 0.3 to 0.7 in steps of 0.05. */
  maskThreshold?: readonly number[];
  /** Default 0.2 to 0.7 in steps of 0.1. */
  nmsThreshold?: readonly number[];
  /** Pixels at scale 1; default 0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256. */
  minArea?: readonly number[];
  /** Values of `removeOverlaps.maxLost`, 0 to 1, or null for no overlap removal. Default null, 0.2, 0.4, 0.6, 0.8. */
  maxLost?: readonly (number | null)[];
}

/** @throws {CellrouteError} INVALID_ARGUMENT, naming the value. */
export function checkGrid(grid: TuneGrid): void {
  checkKeys('grid', checkObject('grid', grid), [...NAMES, 'maxLost']);
  for (const name of [...NAMES, 'maxLost'] as const) {
    const values = grid[name];
    if (values === undefined) continue;
    if (!Array.isArray(values) || values.length === 0) {
      throw refuse(`grid.${name}`, 'an array with at least one value', values);
    }
    const { range } = name === 'maxLost' ? REMOVE_OVERLAPS : THRESHOLDS[name];
    for (const [i, value] of values.entries()) {
      if (name !== 'maxLost' || value !== null) checkNumber(`grid.${name}[${i}]`, value, range);
    }
  }
}

/** A point of the grid. */
export interface ThresholdSet {
  minScore: number;
  maskThreshold: number;
  nmsThreshold: number;
  minArea: number;
  /** null: no overlap removal. */
  maxLost: number | null;
}

/** The values of each threshold, including the current ones. */
export class ThresholdGrid {
  readonly #values: { readonly [Name in keyof ThresholdSet]: readonly ThresholdSet[Name][] };
  readonly #now: ThresholdSet;

  constructor(grid: TuneGrid, config: MaskRCNNConfig, now: SegmentThresholds) {
    const inUse = (name: (typeof NAMES)[number]) => resolveThreshold(name, now, config);
    this.#now = {
      minScore: inUse('minScore'),
      maskThreshold: inUse('maskThreshold'),
      nmsThreshold: inUse('nmsThreshold'),
      minArea: inUse('minArea'),
      maxLost: maxLostOf(now.removeOverlaps),
    };
    const numbers = (name: (typeof NAMES)[number]) =>
      [...new Set([...(grid[name] ?? THRESHOLDS[name].grid), this.#now[name]])].sort((a, b) => a - b);
    // No overlap removal comes after the largest share.
    const rank = (value: number | null) => value ?? 2;
    this.#values = {
      minScore: numbers('minScore'),
      maskThreshold: numbers('maskThreshold'),
      nmsThreshold: numbers('nmsThreshold'),
      minArea: numbers('minArea'),
      maxLost: [...new Set([...(grid.maxLost ?? REMOVE_OVERLAPS.grid), this.#now.maxLost])].sort(
        (a, b) => rank(a) - rank(b),
      ),
    };
  }

  get lengths(): number[] {
    return [...NAMES.map((name) => this.#values[name].length), this.#values.maxLost.length];
  }

  /** The point of the current thresholds. */
  get start(): Point {
    return [
      ...NAMES.map((name) => this.#values[name].indexOf(this.#now[name])),
      this.#values.maxLost.indexOf(this.#now.maxLost),
    ];
  }

  get nmsThresholds(): readonly number[] {
    return this.#values.nmsThreshold;
  }

  get lowestScore(): number {
    return this.#values.minScore[0]!;
  }

  at(point: Point): ThresholdSet {
    const [minScore, maskThreshold, nmsThreshold, minArea] = NAMES.map(
      (name, axis) => this.#values[name][point[axis]!]!,
    ) as [number, number, number, number];
    return {
      minScore,
      maskThreshold,
      nmsThreshold,
      minArea,
      maxLost: this.#values.maxLost[point[NAMES.length]!]!,
    };
  }
}

/** Converts to options of `segment`. */
export function segmentThresholds({ maxLost, ...rest }: ThresholdSet): SegmentThresholds {
  return { ...rest, removeOverlaps: maxLost === null ? false : { maxLost } };
}
