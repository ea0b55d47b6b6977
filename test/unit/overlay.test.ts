import sharp from 'sharp';
import { palette } from '../../lib/export/palette.js';
import type { RawImage } from '../../lib/image/types.js';
import { Cells } from '../../lib/inference/cells.js';
import type { RoutedSegmentation, Segmentation } from '../../lib/inference/result.js';
import { boxArray } from '../../lib/mask/boxes.js';
import { Masks } from '../../lib/mask/masks.js';
import { neighbourColours } from '../../lib/render/colours.js';
import { drawText, textWidth } from '../../lib/render/font.js';
import { type OverlayOptions, renderOverlay } from '../../lib/render/overlay.js';
import { shapesOf as allShapesOf, type Shape, shapeOf } from '../../lib/render/shape.js';
import { titleOf } from '../../lib/render/title.js';

/** A result whose cell k has the pixels of label k + 1. */
function resultOf(labels: Uint16Array, width: number): Segmentation {
  const height = labels.length / width;
  const { masks } = Masks.fromLabels(labels, { width, height });
  return resultOfMasks(masks, width, height);
}

function resultOfMasks(masks: Masks, width: number, height: number): Segmentation {
  const count = masks.length;
  const cells = new Cells({
    boxes: boxArray(new Float32Array(4 * count)),
    scores: Float32Array.from({ length: count }, (_, i) => 1 - i / (count + 1)),
    labels: new Int32Array(count).fill(1),
    areas: masks.areas(),
    masks,
  });
  return { width, height, cells, limitsReached: { detections: false, proposals: false }, scale: 1 };
}

/** One shape per label of a label image; a label without pixels gives an empty shape. */
function shapesOf(map: Uint16Array, mapWidth: number, count: number): Shape[] {
  const size = { width: mapWidth, height: map.length / mapWidth };
  const pixels = new Uint8Array(count * map.length);
  map.forEach((label, at) => {
    if (label) pixels[(label - 1) * map.length + at] = 1;
  });
  const masks = Masks.encode(pixels, { ...size, count });
  return Array.from({ length: count }, (_, i) => shapeOf(masks, i, size.width, size.height));
}

const coloursOf = (map: Uint16Array, mapWidth: number, count: number) =>
  neighbourColours(shapesOf(map, mapWidth, count), { width: mapWidth, height: map.length / mapWidth });

async function render(image: RawImage, result: Segmentation, options: OverlayOptions = {}) {
  const png = await renderOverlay(image, result, { title: false, ...options });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  const at = (x: number, y: number) => Array.from(data.subarray((y * info.width + x) * 3).subarray(0, 3));
  return { width: info.width, height: info.height, at, data };
}

// Wide enough not to be enlarged
const width = 1000;
const height = 24;
const labels = new Uint16Array(width * height);
const paint = (label: number, inside: (x: number, y: number) => boolean) => {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) if (inside(x, y)) labels[y * width + x] = label;
  }
};
paint(1, (x, y) => (x - 40) ** 2 + (y - 12) ** 2 < 90);
paint(2, (x, y) => x >= 60 && x < 80 && y < 10);
paint(3, (x, y) => x >= 80 && x < 95 && y < 14);
paint(4, (x) => x === 300);
paint(5, (x, y) => x >= 990 && y >= 20);
// A hole in cell 3
paint(0, (x, y) => x >= 86 && x < 89 && y >= 5 && y < 8);
const result = resultOf(labels, width);
const image: RawImage = {
  data: Uint8Array.from({ length: width * height }, (_, i) => 90 + (i % 71)),
  width,
  height,
  channels: 1,
};
const labelAt = (x: number, y: number) =>
  x < 0 || y < 0 || x >= width || y >= height ? 0 : labels[y * width + x]!;
const onRim = (x: number, y: number) => {
  const label = labelAt(x, y);
  return (
    label > 0 &&
    [labelAt(x - 1, y), labelAt(x + 1, y), labelAt(x, y - 1), labelAt(x, y + 1)].some(
      (other) => other !== label,
    )
  );
};
const greyAt = (x: number, y: number) => new Array(3).fill(image.data[y * width + x]!);
function pixelsWhere(test: (x: number, y: number) => boolean): [number, number][] {
  const found: [number, number][] = [];
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (test(x, y)) found.push([x, y]);
  return found;
}
let colours: Uint8Array;
beforeAll(async () => {
  colours = await coloursOf(labels, width, 5);
});
const colourAt = (x: number, y: number) => [...palette[colours[labelAt(x, y) - 1]!]!];

describe('an overlay', () => {
  test("draws each cell's outline in its colour and changes nothing else", async () => {
    const before = image.data.slice();
    const drawn = await render(image, result, { fill: false });
    const wrong = pixelsWhere((x, y) => {
      const want = onRim(x, y) ? colourAt(x, y) : greyAt(x, y);
      return drawn.at(x, y).join() !== want.join();
    });
    expect(wrong).toEqual([]);
    expect(pixelsWhere(onRim).length).toBeGreaterThan(100);
    expect(image.data).toEqual(before);
  });

  test('tints the inside of cells with the given opacity', async () => {
    const drawn = await render(image, result, { outlines: false, opacity: 0.4 });
    const wrong = pixelsWhere((x, y) => {
      const grey = greyAt(x, y);
      if (!labelAt(x, y)) return drawn.at(x, y).join() !== grey.join();
      const want = grey.map((value, c) => value + (colourAt(x, y)[c]! - value) * 0.4);
      return drawn.at(x, y).some((value, c) => Math.abs(value - want[c]!) > 1);
    });
    expect(wrong).toEqual([]);
  });

  test('without outlines and tint is the image', async () => {
    const drawn = await render(image, result, { outlines: false, fill: false });
    expect(drawn.at(40, 12)).toEqual(greyAt(40, 12));
    expect(drawn.at(30, 12)).toEqual(greyAt(30, 12));
  });

  test('shows both of two overlapping cells, the higher-scored one on top', async () => {
    const pixels = new Uint8Array(2 * width * height);
    for (let y = 2; y < 20; y++) pixels.fill(1, y * width + 10, y * width + 60);
    for (let y = 8 + height; y < 14 + height; y++) pixels.fill(1, y * width + 20, y * width + 40);
    const masks = Masks.encode(pixels, { height, width });
    const drawn = await render(image, resultOfMasks(masks, width, height), { fill: false });
    const [first, second] = [drawn.at(10, 10), drawn.at(20, 10)];
    expect(first).not.toEqual(greyAt(10, 10));
    expect(second).not.toEqual(greyAt(20, 10));
    expect(drawn.at(15, 10)).toEqual(greyAt(15, 10));
    // With swapped scores, the outline of the inner cell is still drawn
    const turned = await render(image, resultOfMasks(masks.select([1, 0]), width, height), { fill: false });
    expect(turned.at(20, 10)).not.toEqual(greyAt(20, 10));
  });

  test('enlarges a small image by an integer factor and keeps outlines inside their cells', async () => {
    const small = new Uint16Array(30 * 20);
    for (let y = 5; y < 15; y++) small.fill(1, y * 30 + 8, y * 30 + 19);
    const flat: RawImage = { data: new Uint8Array(600).fill(120), width: 30, height: 20, channels: 1 };
    const drawn = await render(flat, resultOf(small, 30), { fill: false });
    const zoom = drawn.width / 30;
    expect(Number.isInteger(zoom)).toBe(true);
    expect(drawn.width).toBeGreaterThanOrEqual(700);
    expect(drawn.height).toBe(20 * zoom);
    let outside = 0;
    let changed = 0;
    for (let y = 0; y < drawn.height; y++) {
      for (let x = 0; x < drawn.width; x++) {
        if (small[Math.floor(y / zoom) * 30 + Math.floor(x / zoom)] === 1) continue;
        outside++;
        if (drawn.at(x, y).join() !== '120,120,120') changed++;
      }
    }
    expect([outside, changed]).toEqual([(600 - 110) * zoom ** 2, 0]);
    const colour = [...palette[0]!];
    for (const [x, y] of [
      [8 * zoom, 10 * zoom],
      [19 * zoom - 1, 10 * zoom],
      [12 * zoom, 5 * zoom],
      [12 * zoom, 15 * zoom - 1],
    ] as const) {
      expect(drawn.at(x, y)).toEqual(colour);
    }
    expect(drawn.at(12 * zoom, 10 * zoom)).toEqual([120, 120, 120]);
  });

  test('reduces an image to maxSide', async () => {
    const drawn = await render(image, result, { maxSide: 500 });
    expect([drawn.width, drawn.height]).toEqual([500, 12]);
  });

  test('of a reduced image samples masks at the centres of its pixels', async () => {
    const drawn = await render(image, result, { maxSide: 250, outlines: false, opacity: 1 });
    expect([drawn.width, drawn.height]).toEqual([250, 6]);
    // 4 × 4 pixels become one, whose centre lies on the corner of pixel (2, 2)
    const shapes = Array.from({ length: 5 }, (_, i) => shapeOf(result.cells.masks, i, 250, 6));
    const small = await neighbourColours(shapes, { width: 250, height: 6 });
    for (let y = 0; y < 6; y++) {
      for (let x = 0; x < 250; x++) {
        const label = labelAt(4 * x + 2, 4 * y + 2);
        if (label) expect(drawn.at(x, y)).toEqual([...palette[small[label - 1]!]!]);
      }
    }
    // Cell 4 is one column wide: no centre lies in it, but it is drawn
    const thin = shapes[3]!.runs;
    expect(thin.length).toBeGreaterThan(0);
    for (const { x, y } of thin) expect(drawn.at(x, y)).toEqual([...palette[small[3]!]!]);
  });

  test.each([
    [1, 1],
    [1, 5000],
    [5000, 1],
    [3, 4999],
  ])('of %i × %i pixels', async (wide, high) => {
    const map = new Uint16Array(wide * high);
    map[map.length >> 1] = 1;
    const image: RawImage = {
      data: new Uint8Array(map.length).fill(9),
      width: wide,
      height: high,
      channels: 1,
    };
    const drawn = await render(image, resultOf(map, wide), { title: true, fill: false });
    let lit = 0;
    for (let at = 0; at < drawn.data.length; at += 3) {
      if ([...palette[0]!].every((value, c) => drawn.data[at + c] === value)) lit++;
    }
    expect(lit).toBeGreaterThan(0);
  });

  test('stretches the contrast of 16-bit, float and very dark images', async () => {
    const dark = Uint16Array.from({ length: width * height }, (_, i) => 1000 + (i % 500));
    const images: RawImage[] = [
      { data: dark, width, height, channels: 1 },
      { data: Float32Array.from(dark, (v) => v / 1e6), width, height, channels: 1 },
      { data: Uint8Array.from(dark, (v) => (v - 1000) / 20), width, height, channels: 1 },
    ];
    for (const image of images) {
      const { data } = await render(image, result, { outlines: false, fill: false });
      const values = Array.from(data).sort((a, b) => a - b);
      expect(values[0]).toBe(0);
      expect(values.at(-1)).toBe(255);
      expect(values[values.length / 2]!).toBeGreaterThan(110);
      expect(values[values.length / 2]!).toBeLessThan(145);
    }
  });

  test('works for images without contrast, with NaN, and without cells', async () => {
    const flat: RawImage = { data: new Float32Array(width * height).fill(3), width, height, channels: 1 };
    flat.data[5] = Number.NaN;
    flat.data[6] = Number.POSITIVE_INFINITY;
    const none = resultOf(new Uint16Array(width * height), width);
    const drawn = await render(flat, none);
    expect(drawn.at(5, 0)).toEqual([0, 0, 0]);
    expect(drawn.at(6, 0)).toEqual([255, 255, 255]);
    const black = await render({ data: new Uint8Array(width * height), width, height, channels: 1 }, none);
    expect(black.at(9, 9)).toEqual([0, 0, 0]);
  });

  test('keeps the colours of an RGBA image and ignores its alpha', async () => {
    const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => [200, 30, 120, 0][i % 4]!);
    const drawn = await render({ data: rgba, width, height, channels: 4 }, result, {
      fill: false,
      outlines: false,
    });
    expect(drawn.at(500, 12)).toEqual([200, 30, 120]);
  });

  test.each(['png', 'webp', 'jpeg'] as const)('is encoded as %s', async (format) => {
    const { format: written, width: wide } = await sharp(
      await renderOverlay(image, result, { format }),
    ).metadata();
    expect([written, wide]).toEqual([format, width]);
  });

  test('writes scores on the cells on request', async () => {
    const plain = await render(image, result, { fill: false });
    const scored = await render(image, result, { fill: false, scores: true });
    const differs = (x: number, y: number) => scored.at(x, y).join() !== plain.at(x, y).join();
    let changed = 0;
    for (let y = 0; y < height; y++) for (let x = 28; x < 53; x++) if (differs(x, y)) changed++;
    expect(changed).toBeGreaterThan(40);
    expect(differs(500, 12)).toBe(false);
  });

  test.each<[string, OverlayOptions, RegExp]>([
    ['an unknown option', { outline: true } as OverlayOptions, /did you mean outlines/],
    ['an opacity above 1', { opacity: 1.5 }, /from 0 to 1 for opacity/],
    ['a format', { format: 'gif' as 'png' }, /'png', 'webp', 'jpeg'/],
    ['no title', { title: '' }, /non-empty string for title/],
  ])('%s is refused', async (_name, options, message) => {
    await expect(renderOverlay(image, result, options)).rejects.toThrow(message);
  });

  test('of an image of another size is refused', async () => {
    const other: RawImage = { data: new Uint8Array(100), width: 10, height: 10, channels: 1 };
    await expect(renderOverlay(other, result)).rejects.toThrow(/1000 × 24.*10 × 10/);
  });

  test('stops when it is aborted', async () => {
    await expect(renderOverlay(image, result, { signal: AbortSignal.abort('enough') })).rejects.toBe(
      'enough',
    );
  });

  test('stops when it is aborted while it is encoded', async () => {
    const stop = new AbortController();
    const spy = jest.spyOn(sharp.prototype, 'toBuffer').mockImplementation(() => {
      stop.abort('enough');
      return new Promise(() => {});
    });
    await expect(renderOverlay(image, result, { signal: stop.signal })).rejects.toBe('enough');
    spy.mockRestore();
  });
});

describe('colours', () => {
  test('of cells within a few pixels of each other differ', async () => {
    const side = 200;
    const seeds = Array.from({ length: 150 }, (_, i) => [(i * 7919) % side, (i * 104_729) % side] as const);
    const map = Uint16Array.from({ length: side * side }, (_, at) => {
      const [x, y] = [at % side, Math.floor(at / side)];
      let best = 0;
      let second = Number.POSITIVE_INFINITY;
      let nearest = Number.POSITIVE_INFINITY;
      seeds.forEach(([sx, sy], k) => {
        const distance = Math.hypot(x - sx, y - sy);
        if (distance < nearest) [best, nearest, second] = [k, distance, nearest];
        else second = Math.min(second, distance);
      });
      // A gap of background between some
      return second - nearest < 3 ? 0 : best + 1;
    });
    const chosen = await coloursOf(map, side, seeds.length);
    let met = 0;
    let alike = 0;
    for (let at = 0; at < map.length; at++) {
      for (let step = 1; step <= 4; step++) {
        const pairs = [
          (at % side) + step < side ? map[at + step]! : 0,
          at + step * side < map.length ? map[at + step * side]! : 0,
        ];
        for (const other of pairs) {
          if (!map[at] || !other || other === map[at]) continue;
          met++;
          if (chosen[other - 1] === chosen[map[at]! - 1]) alike++;
        }
      }
    }
    expect(met).toBeGreaterThan(1000);
    expect(alike).toBe(0);
    expect(new Set(chosen).size).toBe(palette.length);
  });

  test.each([
    [4, false],
    [5, true],
  ])('of a cell %i pixels from another can be the same: %p', async (distance, same) => {
    // As many cells as colours, each with a different one; a further cell would reuse the first colour
    const row = new Uint16Array(20 * palette.length);
    for (let cell = 0; cell < palette.length; cell++) row[20 * cell] = cell + 1;
    row[distance] = palette.length + 1;
    const chosen = await coloursOf(row, row.length, palette.length + 1);
    expect(new Set(chosen.subarray(0, palette.length)).size).toBe(palette.length);
    expect(chosen[palette.length] === chosen[0]).toBe(same);
    const column = await coloursOf(row, 1, palette.length + 1);
    expect(column).toEqual(chosen);
  });

  test('of the palette are distinguishable, also with colour vision deficiency', () => {
    // Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB: normal vision, then protan, deutan, tritan
    const eyes: [least: number, matrix: number[]][] = [
      [40, [1, 0, 0, 0, 1, 0, 0, 0, 1]],
      [20, [0.1523, 1.0526, -0.2049, 0.1145, 0.7863, 0.0992, -0.0039, -0.0481, 1.052]],
      [20, [0.3673, 0.8606, -0.228, 0.2801, 0.6725, 0.0474, -0.0118, 0.0429, 0.9689]],
      [20, [1.2555, -0.0767, -0.1788, -0.0784, 0.9308, 0.1476, 0.0047, 0.6914, 0.3039]],
    ];
    for (const [least, matrix] of eyes) {
      const seen = palette.map((colour) => labOf(colour, matrix));
      seen.forEach((a, i) => {
        for (const b of seen.slice(i + 1)) {
          expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(least);
        }
      });
    }
  });

  test('of a cell do not depend on cells with lower scores', async () => {
    const shapes = shapesOf(labels, width, 5);
    const all = await neighbourColours(shapes, { width, height });
    for (let count = 1; count < 5; count++) {
      expect(await neighbourColours(shapes.slice(0, count), { width, height })).toEqual(
        all.subarray(0, count),
      );
    }
  });

  test('of many cells are chosen in several turns of the event loop', async () => {
    const side = 1000;
    const counts = Array.from({ length: 4000 }, (_, i) => {
      const first = 25 * i;
      return `${first * 10 + 1} 200`;
    });
    const masks = Masks.fromKaggle(counts, { width: side, height: side });
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    const now = jest.spyOn(performance, 'now');
    // Each step takes a millisecond.
    now.mockImplementation(() => now.mock.calls.length);
    count();
    const shapes = await allShapesOf(masks, masks);
    await neighbourColours(shapes, masks);
    counting = false;
    now.mockRestore();
    expect(shapes).toHaveLength(4000);
    expect(turns).toBeGreaterThan(4000 / 13);
  });

  test('of overlapping cells differ', async () => {
    const pixels = new Uint8Array(20 * 100).fill(1, 0, 100);
    for (let cell = 1; cell < 20; cell++) pixels[cell * 100 + 55] = 1;
    const masks = Masks.encode(pixels, { width: 10, height: 10 });
    const shapes = Array.from(masks, (_, i) => shapeOf(masks, i, 10, 10));
    const [large, ...small] = await neighbourColours(shapes, { width: 10, height: 10 });
    expect(small).not.toContain(large);
  });
});

/** CIELAB (D65) of an sRGB colour with the given colour vision. */
function labOf(colour: readonly number[], eye: readonly number[]): [number, number, number] {
  const linear = colour.map((c) =>
    c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
  );
  const times = (m: readonly number[], v: readonly number[]) =>
    [0, 3, 6].map((row) => m[row]! * v[0]! + m[row + 1]! * v[1]! + m[row + 2]! * v[2]!);
  const shown = times(eye, linear).map((c) => Math.min(1, Math.max(0, c)));
  const xyz = times([0.4125, 0.3576, 0.1804, 0.2127, 0.7152, 0.0722, 0.0193, 0.1192, 0.9503], shown);
  const [x, y, z] = xyz
    .map((c, i) => c / [0.9505, 1, 1.0888][i]!)
    .map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116)) as [number, number, number];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

describe('the title', () => {
  const routed: RoutedSegmentation = {
    ...result,
    cellType: 'astro',
    segmenter: 'astro',
    probabilities: { cort: 0.0004, astro: 0.973, shsy5y: 0.0266 },
  };

  test('has type, probability and number of cells, and the other types', () => {
    expect(titleOf(routed)).toEqual({ left: 'astro 97.3% · 5 cells', right: 'shsy5y 2.7%  cort <0.1%' });
    expect(titleOf(result)).toEqual({ left: '5 cells', right: '' });
  });

  test('shows that another segmenter was used and that a limit was reached', () => {
    const limited = {
      ...routed,
      segmenter: 'cort',
      limitsReached: { detections: true, proposals: false },
      scale: 1,
    };
    expect(titleOf(limited).left).toBe('astro 97.3% · segmented as cort · 5 cells (limit reached)');
  });

  const bar = async (options: OverlayOptions) => {
    const drawn = await render(image, routed, { title: true, ...options });
    let lit = 0;
    for (let y = 0; y < drawn.height - height; y++) {
      for (let x = 0; x < width; x++) if (drawn.at(x, y)[0]! > 200) lit++;
    }
    return { lit, drawn };
  };

  test('is drawn in a bar above the unchanged image', async () => {
    const { lit, drawn } = await bar({ fill: false, outlines: false });
    expect(lit).toBeGreaterThan(100);
    const top = drawn.height - height;
    for (let x = 0; x < width; x += 7) {
      expect(drawn.at(x, top)).toEqual(greyAt(x, 0));
      expect(drawn.at(x, drawn.height - 1)).toEqual(greyAt(x, height - 1));
    }
  });

  test('can be any text, of any length, in any script', async () => {
    const texts = ['<b>&"\u0000\n', '細胞 🧫', 'x'.repeat(5000), 'naïve β-cells'];
    for (const title of texts) expect((await bar({ title })).lit).toBeGreaterThan(5);
  });

  test('needs no font: every printable character has its own glyph', () => {
    const shape = (text: string) => {
      const squares: string[] = [];
      drawText(text, 0, 0, 1, (x, y) => squares.push(`${x},${y}`));
      return squares.sort().join(' ');
    };
    const signs = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
    expect(new Set(signs.map(shape)).size).toBe(94);
    expect(shape('é')).toBe(shape('e'));
    expect(shape('\u4e2d')).toBe(shape('?'));
    expect(shape(' ')).toBe('');
    expect(textWidth('ab', 3)).toBe(3 * textWidth('ab', 1));
    for (const sign of signs) {
      const columns = shape(sign)
        .split(' ')
        .map((square) => Number(square.split(',')[0]));
      expect(Math.max(...columns) + 1).toBe(textWidth(sign, 1));
    }
  });
});
