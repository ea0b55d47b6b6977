import sharp from 'sharp';
import { Masks } from '../../lib/mask/masks.js';
import { renderContactSheet, type SheetTile } from '../../lib/render/contact-sheet.js';

const background = [40, 44, 52];

/** A grey tile of one value with a square cell in its middle. */
function tile(width: number, height: number, value: number, title = 'a'): SheetTile {
  const [left, top, side] = [
    Math.floor(width / 4),
    Math.floor(height / 4),
    Math.floor(Math.min(width, height) / 2),
  ];
  const bits = Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return Number(x >= left && y >= top && x < left + side && y < top + side);
  });
  const pixels = new Float32Array(3 * width * height).fill(value);
  return { sample: { pixels, width, height, masks: Masks.encode(bits, { width, height }).toBatch() }, title };
}

async function sheetOf(tiles: SheetTile[], columns: number, tileSide: number) {
  const png = await renderContactSheet(tiles, { columns, tileSide });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [
    ...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3),
  ];
  return { ...info, at };
}

test('tiles are in rows, enlarged or reduced to the given side', async () => {
  const { width, height, at } = await sheetOf([tile(40, 40, 0), tile(40, 40, 1), tile(200, 100, 1)], 2, 80);
  // Two columns and two rows of 80, each under its bar, with gaps of 6.
  expect(width).toBe(2 * 86 + 6);
  const bar = (height - 6) / 2 - 6 - 80;
  expect(bar).toBeGreaterThan(7);
  expect(at(2, 2)).toEqual(background);
  expect(at(10, 6 + bar + 4)).toEqual([0, 0, 0]);
  expect(at(86 + 10, 6 + bar + 4)).toEqual([255, 255, 255]);
  // The field after the last tile is empty.
  expect(at(86 + 40, height - 40)).toEqual(background);
});

test('each row has its own range of values', async () => {
  const { height, at } = await sheetOf(
    [tile(50, 50, 0.2), tile(50, 50, 0.4), tile(50, 50, 0), tile(50, 50, 0.01)],
    2,
    50,
  );
  const below = height - 10;
  const above = height - 6 - 10 - (height - 6) / 2 + 6;
  expect([at(10, above)[0], at(66, above)[0]]).toEqual([0, 255]);
  expect([at(10, below)[0], at(66, below)[0]]).toEqual([0, 255]);
});

test('cells are outlined inside their masks', async () => {
  const { height, at } = await sheetOf([tile(64, 64, 0.5)], 1, 64);
  const [left, top] = [6, height - 6 - 64];
  const coloured = (x: number, y: number) => new Set(at(left + x, top + y)).size > 1;
  expect([coloured(16, 16), coloured(47, 47), coloured(16, 40)]).toEqual([true, true, true]);
  expect([coloured(15, 20), coloured(48, 20), coloured(30, 30), coloured(2, 2)]).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('a sample without cells is drawn without outlines', async () => {
  const empty = {
    ...tile(30, 30, 0.5).sample,
    masks: Masks.fromCounts([], { width: 30, height: 30 }).toBatch(),
  };
  const { width } = await sheetOf([{ sample: empty, title: 'none' }], 1, 32);
  expect(width).toBe(30 + 12);
});
