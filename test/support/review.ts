import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { resultJson } from '../../lib/export/result-json.js';
import type { RoutedSegmentation } from '../../lib/inference/result.js';
import { type ImageSize, Masks } from '../../lib/mask/masks.js';
import { resultOf } from './result.js';

/** x1, y1, x2, y2 of a rectangle of pixels. */
export type Rectangle = readonly [number, number, number, number];

/** Pixels of rectangles, one image after the other. */
export function rectangles(boxes: readonly Rectangle[], { width, height }: ImageSize): Masks {
  const pixels = new Uint8Array(boxes.length * width * height);
  for (const [i, [x1, y1, x2, y2]] of boxes.entries()) {
    for (let y = y1; y < y2; y++) {
      const row = (i * height + y) * width;
      pixels.fill(1, row + x1, row + x2);
    }
  }
  return Masks.encode(pixels, { width, height, count: boxes.length });
}

/** The result of a router and a segmenter with these masks. */
export const routedResult = (masks: Masks, cellType: string, labels?: number[]): RoutedSegmentation => ({
  ...resultOf(masks, labels),
  cellType,
  segmenter: cellType,
  probabilities: { [cellType]: 1 },
});

/** What `cellroute segment` writes for an image. */
export function writeResult(folder: string, name: string, result: RoutedSegmentation): void {
  mkdirSync(folder, { recursive: true });
  const stem = name.slice(0, name.lastIndexOf('.'));
  writeFileSync(join(folder, `${stem}.json`), resultJson(result, { name }));
}

/** A grey image of a gradient with bright rectangles; 16-bit TIFF for names that end with .tif. */
export async function writeImage(
  folder: string,
  name: string,
  { width, height }: ImageSize,
  boxes: readonly Rectangle[] = [],
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const is16 = name.endsWith('.tif');
  const data = is16 ? new Uint16Array(width * height) : new Uint8Array(width * height);
  const most = is16 ? 4000 : 255;
  for (let i = 0; i < data.length; i++) data[i] = ((i % width) / width) * 0.3 * most;
  for (const [x1, y1, x2, y2] of boxes) {
    for (let y = y1; y < y2; y++) data.fill(0.9 * most, y * width + x1, y * width + x2);
  }
  const image = sharp(data, { raw: { width, height, channels: 1 } });
  await image.toColourspace(is16 ? 'grey16' : 'b-w').toFile(join(folder, name));
}

/** An answer, with its headers. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  json(): Record<string, unknown>;
}

/** A request with any headers, which `fetch` does not allow. */
export function ask(
  url: string,
  path = '',
  options: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, url),
      { method, headers: { ...(text !== undefined && { 'content-type': 'application/json' }), ...headers } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const all = Buffer.concat(parts);
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: all,
            json: () => JSON.parse(all.toString()) as Record<string, unknown>,
          });
        });
      },
    );
    sent.on('error', reject);
    sent.end(text);
  });
}

/** Whether the middle of a pixel is inside a polygon by the even-odd rule, and how far it is from the outline. */
export function pixelInPolygon(
  polygon: readonly number[],
  column: number,
  row: number,
): { inside: boolean; distance: number } {
  const [x, y] = [column + 0.5, row + 0.5];
  let inside = false;
  let distance = Number.POSITIVE_INFINITY;
  for (let i = 0; i < polygon.length; i += 2) {
    const next = (i + 2) % polygon.length;
    const [x1, y1, x2, y2] = [polygon[i]!, polygon[i + 1]!, polygon[next]!, polygon[next + 1]!];
    if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
    const length = (x2 - x1) ** 2 + (y2 - y1) ** 2;
    const t =
      length === 0 ? 0 : Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
    distance = Math.min(distance, Math.hypot(x - x1 - t * (x2 - x1), y - y1 - t * (y2 - y1)));
  }
  return { inside, distance };
}
