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

/** The values that are tried for each threshold. What is left out has the values named here. */
export interface TuneGrid {
  /** Default 0.05 to 0.95 in steps of 0.05. */
  minScore?: readonly number[];
  /** Default 0.3 to 0.7 in steps of 0.05. */
  maskThreshold?: readonly number[];
  /** Default 0.2 to 0.7 in steps of 0.1. */
  nmsThreshold?: readonly number[];
  /** Pixels; default 0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256. */
  minArea?: readonly number[];
  /** `removeOverlaps.maxLost`, 0 to 1, or null for overlaps that stay; default null, 0.2, 0.4, 0.6, 0.8. */
  maxLost?: readonly (number | null)[];
}

/** @throws {CellrouteError} INVALID_ARGUMENT, with the name of the value. */
export function checkGrid(grid: TuneGrid): void {
  checkKeys('grid', checkObject('grid', grid), [...NAMES, 'maxLost']);
  for (const name of [...NAMES, 'maxLost'] as const) {
    const values = grid[name];
    if (values === undefined) continue;
    if (!Array.isArray(values) || values.length === 0) {
      throw refuse(`grid.${name}`, 'an array of one value or more', values);
    }
    const { range } = name === 'maxLost' ? REMOVE_OVERLAPS : THRESHOLDS[name];
    for (const [i, value] of values.entries()) {
      if (name !== 'maxLost' || value !== null) checkNumber(`grid.${name}[${i}]`, value, range);
    }
  }
}

/** One point of the grid. */
export interface ThresholdSet {
  minScore: number;
  maskThreshold: number;
  nmsThreshold: number;
  minArea: number;
  /** null leaves overlaps. */
  maxLost: number | null;
}

/** The values of each threshold, those in use among them. */
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
    // Overlaps that stay come after the largest share.
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

  /** The point of the thresholds in use. */
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

/** As `segment` takes them. */
export function segmentThresholds({ maxLost, ...rest }: ThresholdSet): SegmentThresholds {
  return { ...rest, removeOverlaps: maxLost === null ? false : { maxLost } };
}
