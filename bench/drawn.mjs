// Draws synthetic images of cells with their masks, with any number of cells.
import { Masks } from 'cellroute';
import sharp from 'sharp';

/** mulberry32 */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes an image of bright ellipses on a noisy background, arranged in a grid, and returns their masks. */
export async function drawCells(path, seed, { width, height, cells }) {
  const draw = random(seed);
  const pixels = Uint8Array.from({ length: width * height }, () => 60 * draw());
  const columns = Math.ceil(Math.sqrt((cells * width) / height));
  const rows = Math.ceil(cells / columns);
  const [cellWidth, cellHeight] = [width / columns, height / rows];
  const masks = Array.from({ length: cells }, (_, i) => {
    const mask = new Uint8Array(width * height);
    const a = cellWidth * (0.2 + 0.25 * draw());
    const b = cellHeight * (0.2 + 0.25 * draw());
    const cx = ((i % columns) + 0.5) * cellWidth;
    const cy = (Math.floor(i / columns) + 0.5) * cellHeight;
    for (let y = Math.max(0, Math.floor(cy - b)); y < Math.min(height, cy + b); y++) {
      for (let x = Math.max(0, Math.floor(cx - a)); x < Math.min(width, cx + a); x++) {
        if (((x + 0.5 - cx) / a) ** 2 + ((y + 0.5 - cy) / b) ** 2 > 1) continue;
        mask[y * width + x] = 1;
        pixels[y * width + x] = 120 + 100 * draw();
      }
    }
    return Masks.encode(mask, { width, height }).toCoco()[0];
  });
  await sharp(pixels, { raw: { width, height, channels: 1 } })
    .png()
    .toFile(path);
  return { path, masks };
}
