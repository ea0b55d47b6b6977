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
  /** Text above the image. */
  title: string;
}

export interface SheetOptions {
  columns: number;
  /** Maximum longer side of a tile in pixels. Smaller samples are enlarged by an integer factor, larger ones reduced. */
  tileSide: number;
  signal?: AbortSignal | undefined;
}

const background: Colour = [40, 44, 52];
/** Pixels between tiles. */
const gap = 6;

/**
 * Draws training samples beside each other, each with the outlines of its cells. All samples of a row share one range of
 * values, so their brightness can be compared.
 *
 * @returns PNG.
 */
export async function renderContactSheet(
  tiles: readonly SheetTile[],
  { columns, tileSide, signal }: SheetOptions,
): Promise<Buffer> {
  const shades: Uint8Array[] = [];
  for (let first = 0; first < tiles.length; first += columns) {
    shades.push(...(await commonShades(tiles.slice(first, first + columns))));
  }
  const drawn: Canvas[] = [];
  for (const [i, { sample, title }] of tiles.entries()) {
    const scene = await sceneOf(interleaved(shades[i]!), sample, tileSide, tileSide);
    const painter = await Painter.of(scene, Masks.fromBatch(sample.masks), signal);
    const colours = await neighbourColours(painter.shapes, scene.grid, signal);
    const outline = (cell: number) => painter.outline(cell, palette[colours[cell]!]!);
    await paintAll(painter.shapes.length, [outline], signal);
    drawn.push(await withTitle(scene.canvas, { left: title, right: '' }));
  }
  return encode(sheetOf(drawn, columns), 'png');
}

/** Converts the values of all samples to 8 bits with one common range. */
async function commonShades(tiles: readonly SheetTile[]): Promise<Uint8Array[]> {
  const all = new Float32Array(tiles.reduce((sum, { sample }) => sum + sample.pixels.length, 0));
  const starts: number[] = [];
  let end = 0;
  for (const { sample } of tiles) {
    all.set(sample.pixels, end);
    starts.push(end);
    end += sample.pixels.length;
  }
  const shades = await forDisplay({ data: all, width: all.length, height: 1, channels: 1 });
  return tiles.map(({ sample }, i) => shades.subarray(starts[i], starts[i]! + sample.pixels.length));
}

/** Converts three planes to interleaved RGB. */
function interleaved(planes: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(planes.length);
  const plane = planes.length / 3;
  for (let i = 0; i < plane; i++) {
    for (let channel = 0; channel < 3; channel++) rgb[3 * i + channel] = planes[channel * plane + i]!;
  }
  return rgb;
}

/** Arranges tiles in a grid, each centred in a field of the size of the largest tile. */
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
