// Draws the table as bars: how much of its goal each row reaches.
import { createRequire } from 'node:module';
import sharp from 'sharp';
import { attained, goalText } from '../goals.mjs';

const require = createRequire(import.meta.url);
const { chartColour } = require('../../dist/render/chart.js');
const { svgText, svgTextWidth } = require('../../dist/render/svg-text.js');

const [width, top, step, bar] = [1180, 78, 40, 22];
const [left, right] = [560, 1080];
/** Maximum length of a bar; the number beside it has the full value. */
const longest = 2;
const ink = '#22262e';
const faint = '#5a6270';

const place = (share) => left + ((right - left) * Math.min(share, longest)) / longest;

function barSvg({ title, against, goal, result }, y) {
  const what = against ? `${title}, by ${against}` : title;
  const size = Math.min(13, (13 * (left - 36)) / svgTextWidth(what, 13));
  const name = svgText(what, left - 12, y + 15, { size, colour: ink, anchor: 'end' });
  if (result.skipped) {
    return name + svgText('not measured', left + 8, y + 15, { size: 13, colour: faint });
  }
  const share = attained(goal, result.value);
  const end = place(share);
  const amount = `${Number(result.value.toPrecision(3))}${goal.unit ? ` ${goal.unit}` : ' x'} (${goalText(goal).replace('×', 'x').replace('≥', 'at least').replace('≤', 'at most')})`;
  // Inside the bar if there is no room beside it.
  const textWidth = svgTextWidth(amount, 13);
  const inside = end + 10 + textWidth > width - 8;
  return [
    name,
    // A white background, because the line of the goal would cross the number.
    inside ? '' : `<rect x="${end + 4}" y="${y}" width="${textWidth + 8}" height="${bar}" fill="#ffffff"/>`,
    `<rect x="${left}" y="${y}" width="${(end - left).toFixed(1)}" height="${bar}" fill="${chartColour(share >= 1 ? 2 : 1)}"/>`,
    svgText(amount, inside ? end - 8 : end + 8, y + 15, {
      size: 13,
      colour: inside ? '#ffffff' : faint,
      anchor: inside ? 'end' : 'start',
    }),
  ].join('');
}

export function chartSvg(title, rows) {
  const bottom = top + step * rows.length;
  const goal = place(1);
  const parts = [
    `<rect width="${width}" height="${bottom + 24}" fill="#ffffff"/>`,
    svgText(title, 24, 36, { size: 20, colour: ink, bold: true }),
    svgText('goal', goal, top - 12, { size: 13, colour: faint, anchor: 'middle' }),
    `<path d="M${goal} ${top - 6}V${bottom}" stroke="${ink}" stroke-dasharray="5 4" fill="none"/>`,
    ...rows.map((row, i) => barSvg(row, top + step * i)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${bottom + 24}">${parts.join('\n')}</svg>`;
}

export const chartPng = (title, rows) =>
  sharp(Buffer.from(chartSvg(title, rows)))
    .png()
    .toBuffer();
