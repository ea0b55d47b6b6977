import { svgText, svgTextWidth } from './svg-text.js';
import { linearTicks, logTicks, tickText } from './ticks.js';

/** Title, axis labels and size of a chart. */
export interface ChartLabels {
  title: string;
  /** Label with the unit, for example `area (pixels)`. */
  xLabel: string;
  yLabel: string;
  /** Size of the image in pixels. Default 960 × 600. */
  width?: number;
  height?: number;
}

/** An entry of the legend. */
export interface ChartKey {
  name: string;
  colour: string;
  /** A line like that of the series, or a filled square. */
  mark: 'line' | 'dashes' | 'square';
}

/** One axis of a chart: its ticks, and the position in pixels of a value. */
export interface Axis {
  ticks: readonly number[];
  /** Position in pixels; NaN for values that a logarithmic axis cannot show. */
  position(value: number): number;
}

export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Colours of Okabe and Ito, distinguishable with colour vision deficiency; yellow last, because it is faint on white. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#f0e442'];
const ink = '#22262e';
const faint = '#5a6270';
const gridColour = '#e4e7ec';

export const chartColour = (index: number): string => colours[index % colours.length]!;
/** After the last colour, the colours repeat with dashed lines. */
export const isSecondRound = (index: number): boolean => Math.floor(index / colours.length) % 2 === 1;

const legendSize = 14;
const tickSize = 13;

/** Whether a value is finite and so small that sums of it are finite. */
export const isDrawable = (value: number): boolean => Math.abs(value) <= 1e300;

/** Range of the drawable numbers. */
export function rangeOf(values: Iterable<number>): [low: number, high: number] | undefined {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!isDrawable(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : undefined;
}

/** An axis from `from` to `to` in pixels over a range, widened to whole ticks where `rounded`. */
export function linearAxis(
  [low, high]: [number, number],
  from: number,
  to: number,
  { rounded = false, whole = false }: { rounded?: boolean; whole?: boolean } = {},
): Axis {
  if (high - low <= 1e-12 * Math.max(Math.abs(low), Math.abs(high))) {
    const room = Math.abs(low) * 0.1 || 1;
    [low, high] = [low - room, high + room];
  }
  const count = Math.max(2, Math.round(Math.abs(to - from) / 80));
  if (rounded) {
    const [first = low, second = high] = linearTicks(low, high, count, whole);
    const step = second - first;
    [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  }
  return {
    ticks: linearTicks(low, high, count, whole),
    position: (value) => from + ((value - low) / (high - low)) * (to - from),
  };
}

/** A logarithmic axis, widened to powers of ten. */
export function logAxis([low, high]: [number, number], from: number, to: number): Axis {
  if (high <= low * (1 + 1e-12)) [low, high] = [low / 2, high * 2];
  const [bottom, top] = [Math.log10(low), Math.log10(high)];
  const room = (top - bottom) * 0.03;
  // Exponents of the smallest and largest doubles.
  const ends: [number, number] = [Math.max(bottom - room, -307), Math.min(top + room, 307)];
  return {
    ticks: logTicks(10 ** ends[0], 10 ** ends[1], Math.max(2, Math.round(Math.abs(to - from) / 50))),
    position: (value) =>
      value > 0 ? from + ((Math.log10(value) - ends[0]) / (ends[1] - ends[0])) * (to - from) : Number.NaN,
  };
}

/**
 * Creates a chart as an SVG document: title, legend, axes with ticks and grid, and the content that `draw` returns for the
 * plot area. Text is drawn as outlines.
 */
export function chartSvg(
  { title, xLabel, yLabel, width = 960, height = 600 }: ChartLabels,
  keys: readonly ChartKey[],
  axes: (area: Area) => { x: Axis; y: Axis },
  draw: (x: Axis, y: Axis, area: Area) => string,
): string {
  const legend = layLegend(keys, width - 48);
  const top = 58 + legend.rows * 22;
  // The width of the tick labels is known only after the axis has been created.
  const provisional = { left: 80, top, right: width - 28, bottom: height - 62 };
  const labelWidth = Math.max(
    ...axes(provisional).y.ticks.map((tick) => svgTextWidth(tickText(tick), tickSize)),
    0,
  );
  const area = { ...provisional, left: Math.ceil(labelWidth) + 58 };
  const { x, y } = axes(area);
  const parts = [
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    svgText(title, 24, 36, { size: 20, colour: ink, bold: true }),
    ...legend.entries.map(({ key, left, row }) => legendEntry(key, 24 + left, 66 + row * 22)),
    ...y.ticks.map((tick) => horizontalTick(y.position(tick), tick, area)),
    ...withoutOverlaps(x).map((tick) => verticalTick(x.position(tick), tick, area)),
    `<path d="M${area.left} ${area.bottom}H${area.right}" stroke="${faint}" fill="none"/>`,
    svgText(xLabel, (area.left + area.right) / 2, height - 16, { size: 15, colour: ink, anchor: 'middle' }),
    svgText(yLabel, 28, (area.top + area.bottom) / 2, {
      size: 15,
      colour: ink,
      anchor: 'middle',
      upwards: true,
    }),
    draw(x, y, area),
  ];
  const name = title.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img"><title>${name}</title>\n${parts.join('\n')}\n</svg>\n`;
}

/** Drops ticks whose labels would overlap the previous one. */
function withoutOverlaps({ ticks, position }: Axis): number[] {
  let free = Number.NEGATIVE_INFINITY;
  return ticks.filter((tick) => {
    const half = svgTextWidth(tickText(tick), tickSize) / 2;
    const fits = position(tick) - half >= free;
    if (fits) free = position(tick) + half + 10;
    return fits;
  });
}

function horizontalTick(y: number, tick: number, { left, right }: Area): string {
  return (
    `<path d="M${left} ${y.toFixed(1)}H${right}" stroke="${gridColour}" fill="none"/>` +
    svgText(tickText(tick), left - 8, y + 4.5, { size: tickSize, colour: faint, anchor: 'end' })
  );
}

function verticalTick(x: number, tick: number, { top, bottom }: Area): string {
  return (
    `<path d="M${x.toFixed(1)} ${top}V${bottom}" stroke="${gridColour}" fill="none"/>` +
    `<path d="M${x.toFixed(1)} ${bottom}v5" stroke="${faint}" fill="none"/>` +
    svgText(tickText(tick), x, bottom + 20, { size: tickSize, colour: faint, anchor: 'middle' })
  );
}

function legendEntry({ name, colour, mark }: ChartKey, x: number, y: number): string {
  const sign =
    mark === 'square'
      ? `<rect x="${x + 6}" y="${y - 12}" width="13" height="13" fill="${colour}"/>`
      : `<path d="M${x} ${y - 5}h26" stroke="${colour}" stroke-width="2.5"${mark === 'dashes' ? ' stroke-dasharray="7 4"' : ''}/>`;
  return sign + svgText(name, x + 33, y, { size: legendSize, colour: ink });
}

/** Places legend entries from left to right, in as many rows as needed. */
function layLegend(keys: readonly ChartKey[], room: number) {
  let [left, row] = [0, 0];
  const entries = keys.map((key) => {
    const entryWidth = 33 + svgTextWidth(key.name, legendSize);
    if (left > 0 && left + entryWidth > room) [left, row] = [0, row + 1];
    const entry = { key, left, row };
    left += entryWidth + 26;
    return entry;
  });
  return { entries, rows: keys.length > 0 ? row + 1 : 0 };
}
