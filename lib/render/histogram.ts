import { checkBoolean, checkKeys, checkNumber, checkObject, checkString, refuse } from '../check.js';
import { type ChartLabels, chartColour, chartSvg, linearAxis, rangeOf } from './chart.js';
import { checkLabels, svgToPng } from './plot.js';

export interface HistogramOptions extends ChartLabels {
  /** Distributions drawn over each other. Values that are not finite are ignored. */
  groups: readonly { name: string; values: ArrayLike<number> }[];
  /** Number of columns. Default 30. */
  bins?: number | undefined;
  /** Whether values are whole numbers, as counts are: columns and ticks then are whole numbers, too. Default false. */
  whole?: boolean | undefined;
}

/**
 * Draws a histogram as an SVG document with the style of {@link plotSvg}: bins of equal width over the range of all
 * groups, translucent where groups overlap.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options.
 */
export function histogramSvg(options: HistogramOptions): string {
  const { groups, bins: maxBins = 30, whole = false, ...labels } = checkOptions(options);
  const values = groups.map((group) => Array.from(group.values).filter(Number.isFinite));
  let [low, high] = rangeOf(values.flat()) ?? [0, 1];
  if (whole) [low, high] = [Math.floor(low) - 0.5, Math.ceil(high) + 0.5];
  else if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const step = whole ? Math.ceil((high - low) / maxBins) : (high - low) / maxBins;
  const bins = whole ? Math.ceil((high - low) / step) : maxBins;
  high = low + bins * step;
  const counts = values.map((own) => {
    const columns = new Array<number>(bins).fill(0);
    for (const value of own) columns[Math.min(bins - 1, Math.floor((value - low) / step))]!++;
    return columns;
  });
  const maxCount = Math.max(1, ...counts.flat());
  const keys = groups.map(({ name }, i) => ({ name, colour: chartColour(i), mark: 'square' as const }));
  const opacity = groups.length > 1 ? 0.55 : 0.85;
  return chartSvg(
    labels,
    keys.length > 1 ? keys : [],
    ({ left, right, top, bottom }) => ({
      x: linearAxis([low, high], left + 8, right - 8, { whole }),
      y: linearAxis([0, maxCount], bottom, top, { rounded: true, whole: true }),
    }),
    (x, y, { bottom }) =>
      counts
        .map((columns, group) => {
          const rectangles = columns.map((count, i) => {
            if (count === 0) return '';
            const [begin, end] = [x.position(low + i * step), x.position(low + (i + 1) * step)];
            return `M${(begin + 0.5).toFixed(1)} ${bottom}V${y.position(count).toFixed(1)}H${(end - 0.5).toFixed(1)}V${bottom}Z`;
          });
          return `<path d="${rectangles.join('')}" fill="${keys[group]!.colour}" fill-opacity="${opacity}"/>`;
        })
        .join('\n'),
  );
}

/**
 * A histogram as a PNG. Works in a container without fonts.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT.
 */
export function renderHistogram(options: HistogramOptions): Promise<Buffer> {
  return svgToPng(histogramSvg(options));
}

function checkOptions(options: HistogramOptions): HistogramOptions {
  const known = ['title', 'xLabel', 'yLabel', 'groups', 'bins', 'whole', 'width', 'height'];
  checkKeys('', checkObject('options', options), known);
  checkLabels(options);
  checkBoolean('whole', options.whole ?? false);
  checkNumber('bins', options.bins ?? 30, { min: 1, max: 500, integer: true });
  if (!Array.isArray(options.groups)) {
    throw refuse('groups', 'an array of { name, values }', options.groups);
  }
  options.groups.forEach((group: HistogramOptions['groups'][number], i) => {
    checkKeys(`groups[${i}]`, checkObject(`groups[${i}]`, group), ['name', 'values']);
    checkString(`groups[${i}].name`, group.name);
    if (!(Array.isArray(group.values) || ArrayBuffer.isView(group.values))) {
      throw refuse(`groups[${i}].values`, 'an array of numbers', group.values);
    }
  });
  return options;
}
