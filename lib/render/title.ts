import type { RoutedSegmentation, Segmentation } from '../result.js';
import { Canvas, type Colour } from './canvas.js';
import { capitalHeight, textWidth } from './font.js';

const background: Colour = [24, 27, 33];
const bright: Colour = [255, 255, 255];
const dim: Colour = [160, 168, 180];

/** What the title bar says: the routed type, how sure the router was, how many cells; and the other types, dimmed. */
export interface Title {
  left: string;
  right: string;
}

export function titleOf(result: Segmentation | RoutedSegmentation): Title {
  const count = result.cells.length;
  const capped = result.capped.detections ? ' (limit reached)' : '';
  const cells = `${count.toLocaleString('en')} ${count === 1 ? 'cell' : 'cells'}${capped}`;
  if (!('cellType' in result)) return { left: cells, right: '' };
  const { cellType, segmenter, probabilities } = result;
  const others = Object.entries(probabilities)
    .filter(([type]) => type !== cellType)
    .sort(([, a], [, b]) => b - a);
  const as = segmenter === cellType ? '' : ` · segmented as ${segmenter}`;
  return {
    left: `${cellType} ${percent(probabilities[cellType] ?? 0)}${as} · ${cells}`,
    right: others.map(([type, probability]) => `${type} ${percent(probability)}`).join('  '),
  };
}

/** One decimal, and never 0 or 100 where it was not. */
function percent(probability: number): string {
  if (probability > 0 && probability < 0.0005) return '<0.1%';
  if (probability < 1 && probability > 0.9995) return '>99.9%';
  return `${(probability * 100).toFixed(1)}%`;
}

/** A copy of the picture under a bar with the title; text too long for the width is made smaller, then cut. */
export function withTitle(picture: Canvas, { left, right }: Title): Canvas {
  const largest = Math.min(4, Math.max(1, Math.round(Math.max(picture.width, picture.height) / 500)));
  const margin = 5 * largest;
  const room = picture.width - 2 * margin;
  let scale = largest;
  while (scale > 1 && textWidth(left, scale) > room) scale--;

  const bar = (capitalHeight + 9) * largest;
  const canvas = new Canvas(picture.width, picture.height + bar);
  canvas.fill(0, 0, canvas.width, bar, background);
  canvas.data.set(picture.data, bar * canvas.width * 3);
  const topFor = (size: number) => Math.round((bar - capitalHeight * size) / 2);
  canvas.text(cut(left, room, scale), margin, topFor(scale), scale, bright);
  const rightWidth = textWidth(right, scale);
  if (textWidth(left, scale) + 4 * margin + rightWidth <= room) {
    canvas.text(right, canvas.width - margin - rightWidth, topFor(scale), scale, dim);
  }
  return canvas;
}

function cut(text: string, room: number, scale: number): string {
  if (textWidth(text, scale) <= room) return text;
  let end = text.length;
  while (end > 0 && textWidth(`${text.slice(0, end)}...`, scale) > room) end--;
  return end > 0 ? `${text.slice(0, end)}...` : '';
}
