import { defined } from '../defined.js';
import type { LogLine } from './log.js';

type Point = readonly [step: number, value: number];
type Validation = Extract<LogLine, { kind: 'validation' }>;

/** A loss plot shows means over this number of intervals. */
const MAX_INTERVALS = 400;

/** Losses and validations of a run, for plots. */
export class History {
  /** Total loss and each loss, by step. */
  readonly #losses = new Map<string, Point[]>();
  readonly #validations: Validation[] = [];
  #lastEpoch: Extract<LogLine, { kind: 'epoch' }> | undefined;
  #speed = 0;

  add(line: LogLine): void {
    if (line.kind === 'step') {
      const all = { total: line.total, ...line.losses };
      for (const [name, loss] of Object.entries(all)) {
        const points = this.#losses.get(name);
        if (points) points.push([line.step, loss]);
        else this.#losses.set(name, [[line.step, loss]]);
      }
      this.#speed = line.imagesPerSecond;
    } else if (line.kind === 'validation') {
      this.#validations.push(line);
    } else if (line.kind === 'epoch') {
      this.#lastEpoch = line;
    }
  }

  /** Each loss, smoothed for long runs. The only loss of a classifier is its total. */
  losses(): { name: string; points: Point[] }[] {
    const all = [...this.#losses].map(([name, points]) => ({ name, points: smoothed(points) }));
    return all.length === 2 ? all.slice(0, 1) : all;
  }

  /** The validation metric and the other metrics. */
  validations(): { metric: string; series: { name: string; points: Point[] }[] } | undefined {
    const [first] = this.#validations;
    if (!first) return undefined;
    const points = (value: (line: Validation) => number | undefined) =>
      this.#validations.map((line): Point => [line.step, value(line) ?? Number.NaN]);
    const figures = Object.keys(first.figures).filter((name) => name !== first.metric && name !== 'loss');
    return {
      metric: first.metric,
      series: [
        { name: first.metric, points: points((line) => line.score) },
        ...figures.map((name) => ({ name, points: points((line) => line.figures[name]) })),
      ],
    };
  }

  results() {
    const last = this.#validations.at(-1);
    const { total, losses } = this.#lastEpoch ?? {};
    return {
      lastEpoch: this.#lastEpoch ? { total, losses } : null,
      lastValidation: last
        ? {
            step: last.step,
            metric: last.metric,
            score: last.score,
            figures: last.figures,
            ...defined({ confusion: last.confusion }),
          }
        : null,
      imagesPerSecond: this.#speed,
    };
  }
}

/** Means over intervals of equal length, each at its last step. */
function smoothed(points: readonly Point[]): Point[] {
  const length = Math.ceil(points.length / MAX_INTERVALS);
  if (length <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / length) }, (_, i): Point => {
    const stretch = points.slice(i * length, (i + 1) * length);
    return [stretch.at(-1)![0], stretch.reduce((sum, [, value]) => sum + value, 0) / stretch.length];
  });
}
