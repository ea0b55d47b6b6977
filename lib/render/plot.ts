import sharp from 'sharp';
import {
  checkBoolean,
  checkKeys,
  checkNumber,
  checkObject,
  checkOneOf,
  checkString,
  refuse,
} from '../check.js';
import {
  type Axis,
  type ChartLabels,
  chartColour,
  chartSvg,
  isDrawable,
  isSecondRound,
  linearAxis,
  logAxis,
  rangeOf,
} from './chart.js';

/** A line of a plot. */
export interface PlotSeries {
  name: string;
  /** Points as x and y, in drawing order. A value that is not finite interrupts the line. */
  points: readonly (readonly [x: number, y: number])[];
  dashed?: boolean;
  /** Shaded area behind the line, such as an interval: x, low and high. Values that are not finite are ignored. */
  band?: readonly (readonly [x: number, low: number, high: number])[];
}

export interface PlotOptions extends ChartLabels {
  series: readonly PlotSeries[];
  /** With `log`, values of 0 and below interrupt the line. Default `linear`. */
  yScale?: 'linear' | 'log' | undefined;
  /** Values that the vertical axis must include, such as [0, 1] for shares. */
  yRange?: readonly [low: number, high: number] | undefined;
}

/** Maximum number of points of a line whose points are drawn as dots. */
const maxDots = 40;

/**
 * A line chart as an SVG document: title, axes, ticks, grid and legend, in colours that are distinguishable with colour
 * vision deficiency. Text is drawn as outlines, so it looks the same everywhere.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for options.
 */
export function plotSvg(options: PlotOptions): string {
  const { series, yScale = 'linear', yRange = [], ...labels } = checkOptions(options);
  const keys = series.map(({ name, dashed }, i) => ({
    name,
    colour: chartColour(i),
    mark: dashed || isSecondRound(i) ? ('dashes' as const) : ('line' as const),
  }));
  const points = series.flatMap(({ points: own, band = [] }) => [
    ...own,
    ...band.flatMap(([x, low, high]) => [[x, low] as const, [x, high] as const]),
  ]);
  const shown = [...points.map(([, y]) => y), ...yRange].filter((y) => yScale === 'linear' || y > 0);
  const xRange = rangeOf(points.map(([x]) => x)) ?? [0, 1];
  const range = rangeOf(shown) ?? (yScale === 'log' ? [0.1, 1] : [0, 1]);
  return chartSvg(
    labels,
    keys.length > 1 ? keys : [],
    ({ left, right, top, bottom }) => ({
      x: linearAxis(xRange, left + 8, right - 8),
      y: yScale === 'log' ? logAxis(range, bottom, top) : linearAxis(range, bottom, top, { rounded: true }),
    }),
    (x, y) =>
      [
        ...series.map(({ band = [] }, i) => bandSvg(band, keys[i]!.colour, x, y)),
        ...series.map((one, i) => lineSvg(one.points, keys[i]!, x, y)),
      ].join('\n'),
  );
}

/**
 * A line plot as a PNG. Works in a container without fonts.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT.
 */
export function renderPlot(options: PlotOptions): Promise<Buffer> {
  return svgToPng(plotSvg(options));
}

/** Rasterizes an SVG of this module. */
export function svgToPng(svg: string): Promise<Buffer> {
  return sharp(Buffer.from(svg), { unlimited: true }).png().toBuffer();
}

/** Checks labels and size of a chart. */
export function checkLabels({ title, xLabel, yLabel, width, height }: ChartLabels): void {
  checkString('title', title);
  checkString('xLabel', xLabel);
  checkString('yLabel', yLabel);
  checkNumber('width', width ?? 960, { min: 200, max: 8192, integer: true });
  checkNumber('height', height ?? 600, { min: 200, max: 8192, integer: true });
}

function checkOptions(options: PlotOptions): PlotOptions {
  const known = ['title', 'xLabel', 'yLabel', 'series', 'width', 'height', 'yScale', 'yRange'];
  checkKeys('', checkObject('options', options), known);
  checkLabels(options);
  checkOneOf('yScale', options.yScale ?? 'linear', ['linear', 'log']);
  const { series, yRange } = options;
  if (yRange !== undefined && !areNumbers(yRange, 2)) throw refuse('yRange', 'two numbers', yRange);
  if (!Array.isArray(series)) throw refuse('series', 'an array of { name, points }', series);
  series.forEach((one: PlotSeries, i) => {
    checkKeys(`series[${i}]`, checkObject(`series[${i}]`, one), ['name', 'points', 'dashed', 'band']);
    checkString(`series[${i}].name`, one.name);
    checkBoolean(`series[${i}].dashed`, one.dashed ?? false);
    if (!Array.isArray(one.points)) {
      throw refuse(`series[${i}].points`, 'an array of [x, y]', one.points);
    }
    const wrong = one.points.findIndex((point) => !areNumbers(point, 2));
    if (wrong >= 0) throw refuse(`series[${i}].points[${wrong}]`, 'two numbers', one.points[wrong]);
    const band: unknown = one.band ?? [];
    if (!Array.isArray(band) || !band.every((point) => areNumbers(point, 3))) {
      throw refuse(`series[${i}].band`, 'an array of [x, low, high]', band);
    }
  });
  return options;
}

const areNumbers = (values: unknown, count: number) =>
  Array.isArray(values) && values.length === count && values.every((value) => typeof value === 'number');

interface PixelPoint {
  x: number;
  y: number;
}

function bandSvg(band: NonNullable<PlotSeries['band']>, colour: string, xAxis: Axis, yAxis: Axis): string {
  const pixelPoints = band
    .filter((ends) => ends.every(isDrawable))
    .map(([x, low, high]) => ({ x: xAxis.position(x), low: yAxis.position(low), high: yAxis.position(high) }))
    .filter(({ low, high }) => isDrawable(low) && isDrawable(high));
  if (pixelPoints.length < 2) return '';
  const corners = [
    ...pixelPoints.map(({ x, low }) => `${x.toFixed(1)} ${low.toFixed(1)}`),
    ...pixelPoints.toReversed().map(({ x, high }) => `${x.toFixed(1)} ${high.toFixed(1)}`),
  ];
  return `<path d="M${corners.join('L')}Z" fill="${colour}" fill-opacity="0.16"/>`;
}

function lineSvg(
  points: PlotSeries['points'],
  { colour, mark }: { colour: string; mark: 'line' | 'dashes' },
  xAxis: Axis,
  yAxis: Axis,
): string {
  const lines: PixelPoint[][] = [[]];
  for (const [x, y] of points) {
    const point = { x: xAxis.position(x), y: yAxis.position(y) };
    if (isDrawable(x) && isDrawable(y) && isDrawable(point.y)) lines.at(-1)!.push(point);
    else lines.push([]);
  }
  const path = lines
    .filter((line) => line.length > 1)
    .map(
      (line) =>
        `M${thinned(line)
          .map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`)
          .join('L')}`,
    )
    .join('');
  const dashes = mark === 'dashes' ? ' stroke-dasharray="7 4"' : '';
  const stroke = `stroke="${colour}" stroke-width="2" stroke-linejoin="round" fill="none"`;
  // A single point between gaps has no line, so it is drawn as a dot.
  const dotted = points.length <= maxDots ? lines.flat() : lines.filter((line) => line.length === 1).flat();
  return (
    (path ? `<path d="${path}" ${stroke}${dashes}/>` : '') +
    dotted
      .map(({ x, y }) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${colour}"/>`)
      .join('')
  );
}

/** Keeps the first, highest, lowest and last of the points in each column of pixels: the drawing is the same. */
function thinned(line: PixelPoint[]): PixelPoint[] {
  const kept: PixelPoint[] = [];
  for (let begin = 0, end = 0; begin < line.length; begin = end) {
    const column = Math.floor(line[begin]!.x);
    while (end < line.length && Math.floor(line[end]!.x) === column) end++;
    let [low, high] = [begin, begin];
    for (let i = begin; i < end; i++) {
      if (line[i]!.y < line[low]!.y) low = i;
      if (line[i]!.y > line[high]!.y) high = i;
    }
    const indices = [...new Set([begin, Math.min(low, high), Math.max(low, high), end - 1])];
    kept.push(...indices.map((i) => line[i]!));
  }
  return kept;
}
