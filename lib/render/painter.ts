import type { Colour } from '../export/palette.js';
import { inTurns } from '../in-parts.js';
import type { Masks } from '../mask/masks.js';
import type { Canvas } from './canvas.js';
import { capitalHeight, textWidth } from './font.js';
import { drawRim } from './outline.js';
import type { Scene } from './scene.js';
import { type Shape, shapesOf, windowOf } from './shape.js';

const white: Colour = [255, 255, 255];

/** Draws cells on a scene: tints, hatching, outlines and scores. Line width depends on the size of the image. */
export class Painter {
  readonly #canvas: Canvas;
  readonly #zoom: number;
  readonly #thickness: number;
  readonly #textScale: number;
  readonly shapes: readonly Shape[];

  static async of(scene: Scene, masks: Masks, signal: AbortSignal | undefined): Promise<Painter> {
    return new Painter(scene, await shapesOf(masks, scene.grid, signal));
  }

  private constructor({ canvas, zoom }: Scene, shapes: readonly Shape[]) {
    const longSide = Math.max(canvas.width, canvas.height);
    this.#canvas = canvas;
    this.#zoom = zoom;
    this.#thickness = Math.max(Math.min(Math.ceil(zoom / 2), 3), Math.round(longSide / 1400));
    this.#textScale = Math.ceil(longSide / 600);
    this.shapes = shapes;
  }

  tint(cell: number, colour: Colour, opacity: number): void {
    const zoom = this.#zoom;
    for (const { x, y, length } of this.shapes[cell]!.runs) {
      this.#canvas.fill(x * zoom, y * zoom, length * zoom, zoom, colour, opacity);
    }
  }

  /** Draws diagonal stripes inside the cell, a mark that does not depend on colour. */
  hatch(cell: number, colour: Colour): void {
    const zoom = this.#zoom;
    const width = Math.max(2, this.#thickness);
    const period = 4 * width;
    for (const run of this.shapes[cell]!.runs) {
      const [left, right] = [run.x * zoom, (run.x + run.length) * zoom];
      for (let y = run.y * zoom; y < (run.y + 1) * zoom; y++) {
        for (let x = left - ((left + y) % period); x < right; x += period) {
          const from = Math.max(left, x);
          this.#canvas.fill(from, y, Math.min(right, x + width) - from, 1, colour, 0.75);
        }
      }
    }
  }

  /** Draws the cell's outline inside its mask, `times` as thick as usual. */
  outline(cell: number, colour: Colour, times = 1): void {
    drawRim(windowOf(this.shapes[cell]!), this.#zoom, this.#thickness * times, (x, y, width, height) =>
      this.#canvas.fill(x, y, width, height, colour),
    );
  }

  /** Draws text at the centre of the cell's box. */
  label(cell: number, text: string): void {
    const { left, top, width, height } = this.shapes[cell]!;
    const fitting = Math.floor((0.8 * width * this.#zoom) / textWidth(text, 1));
    const scale = Math.max(1, Math.min(this.#textScale, fitting));
    this.#canvas.text(
      text,
      Math.round((left + width / 2) * this.#zoom - textWidth(text, scale) / 2),
      Math.round((top + height / 2) * this.#zoom - (capitalHeight * scale) / 2),
      scale,
      white,
      true,
    );
  }
}

/** Calls a drawing function for each of `count` cells, last cell first, so that the first is on top. */
export async function paintAll(
  count: number,
  drawings: readonly ((cell: number) => void)[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const draw of drawings) await inTurns(count, (i) => draw(count - 1 - i), signal);
}
