import { createHash } from 'node:crypto';
import { palette } from '../export/palette.js';
import { readAsset, styleOf } from '../page/assets.js';
import { escapeHtml, escapeJson } from '../page/escape.js';
import { histogramSvg } from '../render/histogram.js';
import { percent } from '../render/title.js';
import type { ReportEntry } from './entry.js';

/** An image that could not be segmented, and the reason. */
export interface ReportFailure {
  name: string;
  reason: string;
}

/** Creates the complete page. Its content security policy forbids all requests. */
export function pageOf(
  title: string,
  entries: readonly ReportEntry[],
  failures: readonly ReportFailure[],
): string {
  const style = styleOf('report', 'report.css');
  const script = readAsset('report', 'report.js');
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${scriptHash(script)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#table">To the table of cells</a>
<header>
<h1>${escapeHtml(title)}</h1>
${numbers(entries)}
${failed(failures)}
</header>
<main>
${overview(entries)}
${charts(entries)}
${images(entries)}
${cellTable(entries)}
</main>
<footer><p class="soft">Made by cellroute. Areas are in pixels of the images as they came.</p></footer>
<script type="application/json" id="data">${escapeJson(browserData(entries))}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** A script as a content security policy allows it. */
export const scriptHash = (script = readAsset('report', 'report.js')): string =>
  `'sha256-${createHash('sha256').update(script).digest('base64')}'`;

/** Data for the script. The images are elements of the page. */
function browserData(entries: readonly ReportEntry[]) {
  return {
    palette: palette.map((colour) => colour.join(' ')),
    images: entries.map(({ name, width, height, route, cells }) => ({
      name,
      width,
      height,
      type: route?.cellType,
      cells,
    })),
  };
}

const count = (value: number) => value.toLocaleString('en');
const phrase = (value: number, one: string, many: string) => `${count(value)} ${value === 1 ? one : many}`;

function medianOf(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function numbers(entries: readonly ReportEntry[]): string {
  const areas = entries.flatMap(({ cells }) => cells.area);
  const median = medianOf(areas);
  const types = new Map<string, number>();
  for (const { route } of entries) {
    if (route) types.set(route.cellType, (types.get(route.cellType) ?? 0) + 1);
  }
  const items: [value: string, what: string][] = [
    [count(entries.length), entries.length === 1 ? 'image' : 'images'],
    [count(areas.length), areas.length === 1 ? 'cell' : 'cells'],
    ...(median === undefined ? [] : [[count(median), 'pixels, the median area'] as [string, string]]),
    ...Array.from(types, ([type, images]): [string, string] => [
      escapeHtml(type),
      phrase(images, 'image', 'images'),
    ]),
  ];
  return `<ul class="numbers">${items.map(([value, what]) => `<li><strong>${value}</strong> ${what}</li>`).join('')}</ul>`;
}

function failed(failures: readonly ReportFailure[]): string {
  if (failures.length === 0) return '';
  const lines = failures.map(
    ({ name, reason }) => `<li><strong>${escapeHtml(name)}</strong>: ${escapeHtml(reason)}</li>`,
  );
  const what = phrase(failures.length, 'image', 'images');
  return `<section class="failed" aria-labelledby="failed"><h2 id="failed">${what} could not be segmented</h2><ul>${lines.join('')}</ul></section>`;
}

function overview(entries: readonly ReportEntry[]): string {
  const routed = entries.some(({ route }) => route);
  const rows = entries.map(({ name, width, height, route, limitsReached, cells }, i) => {
    const median = medianOf(cells.area);
    const type = route
      ? `<td>${escapeHtml(route.cellType)}</td><td class="number">${probability(route.probabilities[route.cellType])}</td>`
      : '<td></td><td></td>';
    return `<tr><td class="name"><a href="#image-${i}">${escapeHtml(name)}</a></td>${routed ? type : ''}<td class="number">${width} × ${height}</td><td class="number">${count(cells.score.length)}${limitsReached ? '+' : ''}</td><td class="number">${median === undefined ? '' : count(median)}</td></tr>`;
  });
  return `<section aria-labelledby="overview"><h2 id="overview">Images at a glance</h2>
<div class="wide"><table><thead><tr><th scope="col">Image</th>${routed ? '<th scope="col">Cell type</th><th scope="col" class="number">Probability</th>' : ''}<th scope="col" class="number">Size</th><th scope="col" class="number">Cells</th><th scope="col" class="number">Median area</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></section>`;
}

const probability = (value: number | undefined) => (value === undefined ? '' : escapeHtml(percent(value)));

function charts(entries: readonly ReportEntry[]): string {
  if (entries.every(({ cells }) => cells.score.length === 0)) return '';
  const types = [...new Set(entries.map(({ route }) => route?.cellType ?? 'cells'))];
  const of = (type: string) => entries.filter(({ route }) => (route?.cellType ?? 'cells') === type);
  const figure = (
    title: string,
    xLabel: string,
    yLabel: string,
    values: (entry: ReportEntry) => number[],
  ) => {
    const groups = types.map((name) => ({ name, values: of(name).flatMap(values) }));
    const svg = histogramSvg({ title, xLabel, yLabel, groups, bins: 24, whole: true });
    // The chart's own title is not read by screen readers, so the figure has a label.
    return `<figure role="img" aria-label="${escapeHtml(`${title}: histogram of ${yLabel} by ${xLabel}`)}">${svg.replace(/^<\?xml[^>]*>/, '')}</figure>`;
  };
  const sizes = figure('Size of cells', 'area in pixels', 'cells', ({ cells }) => cells.area);
  const counts =
    entries.length < 2
      ? ''
      : figure('Cells in an image', 'cells', 'images', ({ cells }) => [cells.score.length]);
  return `<section aria-labelledby="charts"><h2 id="charts">Distributions</h2><div class="charts">${sizes}${counts}</div></section>`;
}

function images(entries: readonly ReportEntry[]): string {
  const all =
    entries.length < 2
      ? ''
      : `<div class="tools"><label><input type="checkbox" id="all-outlines" checked> Outlines in all images</label> <label><input type="checkbox" id="all-tint"> Tint in all images</label></div>`;
  return `<section aria-labelledby="images"><h2 id="images">Images</h2>
<p class="soft hint">Drag to move, double-click or Ctrl with the wheel to zoom, click a cell to read its numbers. With the keyboard: + and − zoom, arrows move, 0 shows all, O switches the outlines.</p>${all}
${entries.map(image).join('\n')}</section>`;
}

function image(entry: ReportEntry, index: number): string {
  const { name, width, height, source, route, limitsReached, cells } = entry;
  const found = phrase(cells.score.length, 'cell', 'cells');
  const limit = limitsReached ? ' (the model reached its limit; there may be more)' : '';
  const label = `${name}, ${found} outlined`;
  return `<article class="image" id="image-${index}" aria-labelledby="name-${index}">
<div class="head"><h3 id="name-${index}">${escapeHtml(name)}</h3><span>${found}${limit}</span></div>
${route ? routeOf(route) : ''}
<div class="tools"><label><input type="checkbox" data-show="outlines" checked> Outlines</label> <label><input type="checkbox" data-show="tint"> Tint</label> <span><button type="button" data-act="out" aria-label="Zoom out">−</button> <button type="button" data-act="in" aria-label="Zoom in">+</button> <button type="button" data-act="fit">Show all</button></span></div>
<div class="stage" tabindex="0" role="group" aria-label="${escapeHtml(label)}" style="--wide:${width};--high:${height}"><img src="${source}" alt="${escapeHtml(label)}" draggable="false"></div>
<p class="said" role="status"></p>
</article>`;
}

function routeOf({ cellType, segmenter, probabilities }: NonNullable<ReportEntry['route']>): string {
  const bars = Object.entries(probabilities)
    .sort(([, a], [, b]) => b - a)
    .map(([type, value]) => {
      const name = type === cellType ? `<strong>${escapeHtml(type)}</strong>` : escapeHtml(type);
      return `<li>${name} <meter min="0" max="1" value="${value.toFixed(4)}" aria-label="Probability of ${escapeHtml(type)}"></meter> ${probability(value)}</li>`;
    });
  const by = segmenter === cellType ? '' : `<li>segmented as ${escapeHtml(segmenter)}</li>`;
  return `<ul class="route" aria-label="Route">${bars.join('')}${by}</ul>`;
}

function cellTable(entries: readonly ReportEntry[]): string {
  const head = (name: string, key?: string, number = key !== undefined) =>
    `<th scope="col"${key ? ` data-key="${key}"` : ''}${number ? ' class="number"' : ''}>${key ? `<button type="button">${name}</button>` : name}</th>`;
  const options = entries.map(({ name }, i) => `<option value="${i}">${escapeHtml(name)}</option>`);
  return `<section aria-labelledby="table"><h2 id="table">Cells</h2>
<div class="tools pages"><label>Cells of <select id="of-image"><option value="">all images</option>${options.join('')}</select></label> <span><button type="button" id="first" aria-label="First page">«</button> <button type="button" id="back">Back</button> <button type="button" id="on">Next</button> <button type="button" id="last" aria-label="Last page">»</button></span> <span id="pages" role="status"></span> <button type="button" id="save">Save as CSV</button></div>
<div class="wide"><table id="cells"><thead><tr>${head('Image', 'image', false)}${head('Cell type')}${head('Cell', 'cell')}${head('Score', 'score')}${head('Area', 'area')}${head('x', 'x')}${head('y', 'y')}</tr></thead><tbody></tbody></table></div></section>`;
}
