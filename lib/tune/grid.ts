import { checkKeys, checkNumber, checkObject, refuse } from '../check.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import { DEFAULT_MAX_LOST, type SegmentThresholds } from '../inference/segmenter.js';
import type { Point } from './search.js';

/** The values that are tried of each threshold. Everything left out has the values named here. */
export interface TuneGrid {
  /** Default 0.05 to 0.95 in steps of 0.05. */
  minScore?: readonly number[];
  /** Default 0.3 to 0.7 in steps of 0.05. */
  maskThreshold?: readonly number[];
  /** Default 0.2 to 0.7 in steps of 0.1. */
  nmsThreshold?: readonly number[];
  /** Pixels; default 0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256. */
  minArea?: readonly number[];
  /** Shares of its pixels that a cell may lose to better ones, or null for overlaps that stay; default null, 0.2, 0.4, 0.6, 0.8. */
  maxLost?: readonly (number | null)[];
}

const steps = (first: number, last: number, step: number) =>
  Array.from({ length: Math.round((last - first) / step) + 1 }, (_, i) =>
    Number((first + i * step).toFixed(2)),
  );

const DEFAULT_GRID: Required<TuneGrid> = {
  minScore: steps(0.05, 0.95, 0.05),
  maskThreshold: steps(0.3, 0.7, 0.05),
  nmsThreshold: steps(0.2, 0.7, 0.1),
  minArea: [0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256],
  maxLost: [null, 0.2, 0.4, 0.6, 0.8],
};

const NAMES = ['minScore', 'maskThreshold', 'nmsThreshold', 'minArea', 'maxLost'] as const;

/** @throws {CellrouteError} INVALID_ARGUMENT, by name. */
export function checkGrid(grid: TuneGrid): void {
  checkKeys('grid', checkObject('grid', grid), NAMES);
  for (const name of NAMES) {
    const values = grid[name];
    if (values === undefined) continue;
    if (!Array.isArray(values) || values.length === 0) {
      throw refuse(`grid.${name}`, 'an array of one value or more', values);
    }
    values.forEach((value, i) => {
      if (name === 'maxLost' && value === null) return;
      const range = name === 'minArea' ? { min: 0, max: 0xffffffff, integer: true } : { min: 0, max: 1 };
      checkNumber(`grid.${name}[${i}]`, value, range);
    });
  }
}

/** What one point of the grid stands for. */
export interface Cut {
  minScore: number;
  maskThreshold: number;
  nmsThreshold: number;
  minArea: number;
  maxLost: number | null;
}

/** The values of each threshold, those in use among them. */
export class Axes {
  readonly #values: { readonly [Name in keyof Cut]: readonly Cut[Name][] };
  readonly #now: Cut;

  constructor(grid: TuneGrid, config: MaskRCNNConfig, now: SegmentThresholds) {
    const { removeOverlaps = false } = now;
    this.#now = {
      minScore: now.minScore ?? 0.5,
      maskThreshold: now.maskThreshold ?? 0.5,
      nmsThreshold: now.nmsThreshold ?? config.box.nmsThreshold,
      minArea: now.minArea ?? 0,
      maxLost:
        typeof removeOverlaps === 'object'
          ? removeOverlaps.maxLost
          : removeOverlaps
            ? DEFAULT_MAX_LOST
            : null,
    };
    const numbers = (name: Exclude<keyof Cut, 'maxLost'>) =>
      [...new Set([...(grid[name] ?? DEFAULT_GRID[name]), this.#now[name]])].sort((a, b) => a - b);
    // Overlaps that stay are as if a cell could lose everything and keep it: past the largest share.
    const share = (value: number | null) => value ?? 2;
    this.#values = {
      minScore: numbers('minScore'),
      maskThreshold: numbers('maskThreshold'),
      nmsThreshold: numbers('nmsThreshold'),
      minArea: numbers('minArea'),
      maxLost: [...new Set([...(grid.maxLost ?? DEFAULT_GRID.maxLost), this.#now.maxLost])].sort(
        (a, b) => share(a) - share(b),
      ),
    };
  }

  get lengths(): number[] {
    return NAMES.map((name) => this.#values[name].length);
  }

  /** Where the thresholds in use lie. */
  get start(): Point {
    return NAMES.map((name) => (this.#values[name] as readonly unknown[]).indexOf(this.#now[name]));
  }

  get nmsThresholds(): readonly number[] {
    return this.#values.nmsThreshold;
  }

  get lowestScore(): number {
    return this.#values.minScore[0]!;
  }

  at(point: Point): Cut {
    const [minScore, maskThreshold, nmsThreshold, minArea, maxLost] = point as [
      number,
      number,
      number,
      number,
      number,
    ];
    return {
      minScore: this.#values.minScore[minScore]!,
      maskThreshold: this.#values.maskThreshold[maskThreshold]!,
      nmsThreshold: this.#values.nmsThreshold[nmsThreshold]!,
      minArea: this.#values.minArea[minArea]!,
      maxLost: this.#values.maxLost[maxLost]!,
    };
  }
}

/** As `segment` takes it. */
export function thresholdsOf({ maxLost, ...rest }: Cut): SegmentThresholds {
  return { ...rest, removeOverlaps: maxLost === null ? false : { maxLost } };
}
