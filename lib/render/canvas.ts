import type { Colour } from '../export/palette.js';
import { drawText } from './font.js';

/** RGB pixels to draw on. Everything outside is clipped. */
export class Canvas {
  constructor(
    readonly width: number,
    readonly height: number,
    readonly data: Uint8Array = new Uint8Array(width * height * 3),
  ) {}

  /** Blends a colour into a rectangle, with opacity 0 to 1. */
  fill(left: number, top: number, width: number, height: number, colour: Colour, opacity = 1): void {
    const right = Math.min(left + width, this.width);
    const bottom = Math.min(top + height, this.height);
    const { data } = this;
    for (let y = Math.max(top, 0); y < bottom; y++) {
      for (let x = Math.max(left, 0), at = (y * this.width + x) * 3; x < right; x++, at += 3) {
        data[at] = data[at]! + (colour[0] - data[at]!) * opacity + 0.5;
        data[at + 1] = data[at + 1]! + (colour[1] - data[at + 1]!) * opacity + 0.5;
        data[at + 2] = data[at + 2]! + (colour[2] - data[at + 2]!) * opacity + 0.5;
      }
    }
  }

  /** Copies an image to (left, top); it must be completely inside the canvas. */
  place({ width, height, data }: Canvas, left: number, top: number): void {
    for (let y = 0; y < height; y++) {
      this.data.set(data.subarray(3 * y * width, 3 * (y + 1) * width), 3 * ((top + y) * this.width + left));
    }
  }

  /** Draws text with its top left corner at (left, top), optionally with a dark border for readability on images. */
  text(text: string, left: number, top: number, scale: number, colour: Colour, rim = false): void {
    if (rim) {
      drawText(text, left, top, scale, (x, y, size) =>
        this.fill(x - 1, y - 1, size + 2, size + 2, black, 0.55),
      );
    }
    drawText(text, left, top, scale, (x, y, size) => this.fill(x, y, size, size, colour));
  }
}

const black: Colour = [0, 0, 0];
