import type { Colour } from '../export/palette.js';
import { copyInParts } from '../in-parts.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { Canvas } from './canvas.js';
import { capitalHeight, textWidth } from './font.js';

const background: Colour = [24, 27, 33];
const bright: Colour = [255, 255, 255];
const dim: Colour = [160, 168, 180];

/** Text of the title bar: predicted type, its probability, number of cells; and the other types, dimmed. */
export interface Title {
  left: string;
  /** Texts after `left`, each in its own colour. */
  notes?: readonly { text: string; colour: Colour }[];
  right: string;
}

export function cellsPhrase(count: number): string {
  return `${count.toLocaleString('en')} ${count === 1 ? 'cell' : 'cells'}`;
}

export function titleOf(result: Segmentation | RoutedSegmentation): Title {
  const cells =
    cellsPhrase(result.cells.length) + (result.limitsReached.detections ? ' (limit reached)' : '');
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

/** A percentage with one decimal. 0 and 100 appear only for exactly 0 and 1. */
export function percent(probability: number): string {
  if (probability > 0 && probability < 0.0005) return '<0.1%';
  if (probability < 1 && probability > 0.9995) return '>99.9%';
  return `${(probability * 100).toFixed(1)}%`;
}

/** Returns a copy of the image below a title bar. A title that is too long is drawn smaller, then truncated. */
export async function withTitle(image: Canvas, { left, notes = [], right }: Title): Promise<Canvas> {
  const largest = Math.min(4, Math.ceil(Math.max(image.width, image.height) / 600));
  const margin = 5 * largest;
  const room = image.width - 2 * margin;
  const between = ' · ';
  const whole = [left, ...notes.map(({ text }) => text)].join(between);
  let scale = largest;
  while (scale > 1 && textWidth(whole, scale) > room) scale--;

  const bar = (capitalHeight + 9) * largest;
  const canvas = new Canvas(image.width, image.height + bar);
  canvas.fill(0, 0, canvas.width, bar, background);
  await copyInParts(image.data, canvas.data, 3 * bar * canvas.width);
  const top = Math.round((bar - capitalHeight * scale) / 2);
  const write = (text: string, at: number, colour: Colour) => {
    const shown = cut(text, margin + room - at, scale);
    canvas.text(shown, at, top, scale, colour);
    return at + textWidth(shown, scale) + scale;
  };
  let end = write(left, margin, bright);
  for (const { text, colour } of notes) end = write(text, write(between, end, dim), colour);
  const rightWidth = textWidth(right, scale);
  if (end + 4 * margin + rightWidth <= margin + room) {
    canvas.text(right, canvas.width - margin - rightWidth, top, scale, dim);
  }
  return canvas;
}

function cut(text: string, room: number, scale: number): string {
  if (textWidth(text, scale) <= room) return text;
  let end = text.length;
  while (end > 0 && textWidth(`${text.slice(0, end)}...`, scale) > room) end--;
  return end > 0 ? `${text.slice(0, end)}...` : '';
}
