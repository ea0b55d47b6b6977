import type { TrainSample } from '../data/types.js';
import { type Colour, palette } from '../export/palette.js';
import { Masks } from '../mask/masks.js';
import { Canvas } from './canvas.js';
import { neighbourColours } from './colours.js';
import { forDisplay } from './display.js';
import { encode } from './encode.js';
import { Painter, paintAll } from './painter.js';
import { sceneOf } from './scene.js';
import { withTitle } from './title.js';

/** One image of a sheet. */
export interface SheetTile {
  sample: Pick<TrainSample, 'pixels' | 'width' | 'height' | 'masks'>;
  /** Stands above it. */
  title: string;
}

export interface SheetOptions {
  columns: number;
  /** Pixels of the longer side a tile may have: smaller samples are enlarged by a whole number, larger ones shrunk. */
  tileSide: number;
  signal?: AbortSignal | undefined;
}

const background: Colour = [40, 44, 52];
/** Pixels between tiles. */
const gap = 6;

/**
 * Samples beside each other, each with the outlines of its cells: what a network is trained on, to be looked at. A
 * row has one range of values, so that what is brighter in it looks brighter.
 *
 * @returns PNG.
 */
export async function renderContactSheet(
  tiles: readonly SheetTile[],
  { columns, tileSide, signal }: SheetOptions,
): Promise<Buffer> {
  const shades: Uint8Array[] = [];
  for (let first = 0; first < tiles.length; first += columns) {
    shades.push(...commonShades(tiles.slice(first, first + columns)));
  }
  const drawn: Canvas[] = [];
  for (const [i, { sample, title }] of tiles.entries()) {
    const scene = await sceneOf(interleaved(shades[i]!), sample, tileSide, tileSide);
    const painter = new Painter(scene, Masks.fromBatch(sample.masks));
    const colours = neighbourColours(painter.shapes, scene.grid.width, scene.grid.height);
    const outline = (cell: number) => painter.outline(cell, palette[colours[cell]!]!);
    await paintAll(painter.shapes.length, [outline], signal);
    drawn.push(withTitle(scene.canvas, { left: title, right: '' }));
  }
  return encode(sheetOf(drawn, columns), 'png');
}

/** The samples' values as shades of one range: they are put one after the other, as if they were one image. */
function commonShades(tiles: readonly SheetTile[]): Uint8Array[] {
  const all = new Float32Array(tiles.reduce((sum, { sample }) => sum + sample.pixels.length, 0));
  const starts: number[] = [];
  let end = 0;
  for (const { sample } of tiles) {
    all.set(sample.pixels, end);
    starts.push(end);
    end += sample.pixels.length;
  }
  const shades = forDisplay({ data: all, width: all.length, height: 1, channels: 1 });
  return tiles.map(({ sample }, i) => shades.subarray(starts[i], starts[i]! + sample.pixels.length));
}

/** Three planes as RGB pixels. */
function interleaved(planes: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(planes.length);
  const plane = planes.length / 3;
  for (let i = 0; i < plane; i++) {
    for (let channel = 0; channel < 3; channel++) rgb[3 * i + channel] = planes[channel * plane + i]!;
  }
  return rgb;
}

/** Each tile in the middle of a place as large as the largest. */
function sheetOf(tiles: readonly Canvas[], columns: number): Canvas {
  const width = Math.max(...tiles.map((tile) => tile.width)) + gap;
  const height = Math.max(...tiles.map((tile) => tile.height)) + gap;
  const rows = Math.ceil(tiles.length / columns);
  const sheet = new Canvas(columns * width + gap, rows * height + gap);
  sheet.fill(0, 0, sheet.width, sheet.height, background);
  for (const [i, tile] of tiles.entries()) {
    const left = gap + (i % columns) * width + Math.floor((width - gap - tile.width) / 2);
    const top = gap + Math.floor(i / columns) * height + Math.floor((height - gap - tile.height) / 2);
    sheet.place(tile, left, top);
  }
  return sheet;
}
