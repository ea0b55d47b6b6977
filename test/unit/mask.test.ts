import type { ErrorCode } from '../../lib/errors.js';
import { CellrouteError } from '../../lib/errors.js';
import { type ImageSize, Masks } from '../../lib/mask/masks.js';
import type { MaskBatch } from '../../lib/native/contract.js';
import { native } from '../../lib/native/load.js';

/** A small generator with a seed (mulberry32), so that failures are reproducible. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One byte per pixel, image after image: overlapping discs, an empty and a full image. */
function drawCells(seed: number, count: number, { width, height }: ImageSize): Uint8Array {
  const random = randomFrom(seed);
  const pixels = new Uint8Array(count * width * height);
  for (let i = 0; i < count; i++) {
    const [cx, cy, r] = [random() * width, random() * height, 2 + (random() * Math.min(width, height)) / 3];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const inside = i === 1 ? 0 : i === 2 ? 1 : Number((x - cx) ** 2 + (y - cy) ** 2 < r * r);
        pixels[(i * height + y) * width + x] = inside;
      }
    }
  }
  return pixels;
}

const size = { width: 47, height: 33 };
const one = size.width * size.height;
const count = 12;
const pixels = drawCells(7, count, size);
const images = Array.from({ length: count }, (_, i) => pixels.subarray(i * one, (i + 1) * one));
const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);

function refusal(action: () => unknown): CellrouteError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(CellrouteError);
    return error as CellrouteError;
  }
  throw new Error('Expected a refusal');
}

describe('Masks against one byte per pixel', () => {
  const masks = Masks.encode(pixels, size);

  test('encode, decode, size', () => {
    expect(masks.length).toBe(count);
    expect([masks.width, masks.height]).toEqual([size.width, size.height]);
    expect(masks.decode()).toEqual(pixels);
    for (let i = 0; i < count; i++) expect(masks.decode(i)).toEqual(images[i]);
    expect(
      Masks.encode(
        Uint8ClampedArray.from(pixels, (v) => v * 255),
        { ...size, count },
      ).decode(),
    ).toEqual(pixels);
    // A Buffer whose bytes start in the middle of its memory.
    expect(Masks.encode(Buffer.concat([Buffer.alloc(3), pixels]).subarray(3), size).decode()).toEqual(pixels);
    expect(Masks.encode(new Uint8Array(0), size).length).toBe(0);
  });

  test('writing and reading every encoding', () => {
    expect(Masks.fromKaggle(masks.toKaggle(), size).decode()).toEqual(pixels);
    expect(Masks.fromCoco(masks.toCoco(), size).decode()).toEqual(pixels);
    expect(Masks.fromCounts(masks.toCounts(), size).decode()).toEqual(pixels);
    expect(
      Masks.fromCounts(
        masks.toCounts().map((counts) => [...counts]),
        size,
      ).decode(),
    ).toEqual(pixels);
    expect(Masks.fromBatch(masks.toBatch()).decode()).toEqual(pixels);
  });

  test('areas and boxes', () => {
    expect([...masks.areas()]).toEqual(images.map(sum));
    const boxes = images.flatMap((image) => {
      const xs: number[] = [];
      const ys: number[] = [];
      image.forEach((value, k) => {
        if (!value) return;
        xs.push(k % size.width);
        ys.push(Math.floor(k / size.width));
      });
      if (xs.length === 0) return [0, 0, 0, 0];
      const [x, y] = [Math.min(...xs), Math.min(...ys)];
      return [x, y, Math.max(...xs) + 1, Math.max(...ys) + 1];
    });
    expect([...masks.boxes()]).toEqual(boxes);
  });

  test('runs reproduce the mask', () => {
    for (let i = 0; i < count; i++) {
      const painted = new Uint8Array(one);
      for (const { x, y, length } of masks.runs(i)) {
        expect(x + length).toBeLessThanOrEqual(size.width);
        painted.fill(1, y * size.width + x, y * size.width + x + length);
      }
      expect(painted).toEqual(images[i]);
    }
  });

  test('select and iterate', () => {
    const order = [5, 0, 5, 11];
    expect(masks.select(order).decode()).toEqual(Uint8Array.from(order.flatMap((i) => [...images[i]!])));
    expect(masks.select(Uint32Array.from([3])).decode()).toEqual(images[3]);
    expect(masks.select([]).length).toBe(0);
    expect([...masks].map((mask) => mask.decode())).toEqual(images.map((image) => image.slice()));
    expect([...masks][3]!.toBatch().counts.buffer.byteLength).toBe(masks.toCounts()[3]!.byteLength);
  });

  test('IoU', () => {
    const other = masks.select([3, 0, 4, 1, 2]);
    const crowd = [true, false, false, true, true];
    for (const flags of [undefined, crowd]) {
      const expected = images.flatMap((a) =>
        [3, 0, 4, 1, 2].map((j, column) => {
          const b = images[j]!;
          const both = sum(a.map((v, k) => v & b[k]!));
          const any = sum(a.map((v, k) => v | b[k]!));
          return both === 0 ? 0 : both / (flags?.[column] ? sum(a) : any);
        }),
      );
      expect([...masks.iou(other, flags ? { crowd: flags } : {})]).toEqual(expected);
    }
    expect(masks.iou(masks.select([]))).toHaveLength(0);
  });

  test('union and intersection', () => {
    const cells = [3, 4, 5, 6];
    const any = images[0]!.map((_, k) => Number(cells.some((i) => images[i]![k])));
    expect(masks.select(cells).union().decode()).toEqual(any);
    const [a, b] = [images[3]!, images[2]!];
    expect(masks.select([3, 2]).intersection().decode()).toEqual(a.map((v, k) => v & b[k]!));
    expect([...masks.select([]).union().areas()]).toEqual([0]);
    expect([...masks.select([]).intersection().areas()]).toEqual([one]);
  });

  test.each([0, 0.2, 0.6, 1])('overlap removal, at most %d lost', (maxLost) => {
    const cells = masks.select([0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 2]);
    const taken = new Uint8Array(one);
    const left: number[] = [];
    const kept: number[] = [];
    [...cells].forEach((cell, i) => {
      const whole = cell.decode();
      const free = whole.map((v, k) => v & ~taken[k]!);
      if (sum(whole) - sum(free) > maxLost * sum(whole)) return;
      free.forEach((v, k) => {
        taken[k]! |= v;
      });
      left.push(...free);
      kept.push(i);
    });
    const result = cells.removeOverlaps({ maxLost });
    expect([...result.kept]).toEqual(kept);
    expect(result.masks.decode()).toEqual(Uint8Array.from(left));
  });

  test('label images', () => {
    const expected = new Uint32Array(one);
    for (let k = 0; k < one; k++) expected[k] = images.findIndex((image) => image[k]) + 1;
    expect(masks.toLabels()).toEqual(expected);
    expect(masks.toLabels16()).toEqual(Uint16Array.from(expected));

    const present = [...new Set(expected)].filter((id) => id > 0).sort((a, b) => a - b);
    for (const labels of [expected, Uint16Array.from(expected), Uint8Array.from(expected)]) {
      const { masks: read, ids } = Masks.fromLabels(labels, size);
      expect([...ids]).toEqual(present);
      present.forEach((id, i) => {
        expect(read.decode(i)).toEqual(Uint8Array.from(expected, (label) => Number(label === id)));
      });
    }
    const large = Uint32Array.from(expected, (label) => label * 300_000_000);
    expect([...Masks.fromLabels(large, size).ids]).toEqual(present.map((id) => id * 300_000_000));
    expect([...Masks.fromLabels(Buffer.from(Uint8Array.from(expected)), size).ids]).toEqual(present);
  });

  test('outlines without holes enclose as many pixels as the mask has', () => {
    const ring = new Uint8Array(25).fill(1);
    ring[12] = 0;
    const holed = Masks.encode(ring, { width: 5, height: 5 }).contours();
    expect(holed.polygons(0)).toEqual([
      [
        [
          [0, 0],
          [5, 0],
          [5, 5],
          [0, 5],
          [0, 0],
        ],
        [
          [2, 2],
          [2, 3],
          [3, 3],
          [3, 2],
          [2, 2],
        ],
      ],
    ]);
    const contours = masks.contours();
    expect(contours.length).toBe(count);
    const areas = masks.areas();
    for (let i = 0; i < count; i++) {
      let doubled = 0;
      for (const outline of contours.polygons(i).flat()) {
        expect(outline.at(-1)).toEqual(outline[0]);
        for (let k = 0; k + 1 < outline.length; k++) {
          doubled += outline[k]![0] * outline[k + 1]![1] - outline[k + 1]![0] * outline[k]![1];
        }
      }
      expect(doubled / 2).toBe(areas[i]);
    }
    expect(refusal(() => contours.polygons(count)).code).toBe('INVALID_ARGUMENT');
  });
});

describe('input validation', () => {
  const masks = Masks.encode(pixels, size);
  const refused: [string, () => unknown, RegExp][] = [
    ['no pixels', () => Masks.encode([1, 0] as never, size), /Expected a Uint8Array for pixels/],
    ['too few pixels', () => Masks.encode(pixels.subarray(1), size), /1551 bytes/],
    ['a wrong count', () => Masks.encode(pixels, { ...size, count: 3 }), /pixels/],
    ['no size', () => Masks.fromKaggle([], undefined as never), /an object for size/],
    ['a misspelt size', () => Masks.fromKaggle([], { width: 1, heigth: 2 } as never), /did you mean height/],
    ['width 0', () => Masks.fromCoco([], { width: 0, height: 2 }), /width/],
    ['width NaN', () => Masks.fromCoco([], { width: Number.NaN, height: 2 }), /width/],
    ['height 1.5', () => Masks.fromCoco([], { width: 2, height: 1.5 }), /height/],
    ['too large an image', () => Masks.fromCoco([], { width: 65536, height: 65536 }), /at most 4294967295/],
    ['a text alone', () => Masks.fromKaggle('1 1' as never, size), /an array of strings/],
    ['a number among texts', () => Masks.fromKaggle(['', 5] as never, size), /texts\[1\]/],
    ['a hole among texts', () => Masks.fromCoco(new Array(2) as never, size), /texts\[0\]/],
    ['counts flat', () => Masks.fromCounts([1, 2] as never, size), /counts\[0\]/],
    ['labels of floats', () => Masks.fromLabels(new Float32Array(one) as never, size), /labels/],
    ['labels of another size', () => Masks.fromLabels(new Uint8Array(3), size), /labels/],
    ['no batch', () => Masks.fromBatch(null as never), /batch/],
    [
      'a batch of arrays',
      () => Masks.fromBatch({ ...size, counts: [], offsets: [0] } as never),
      /batch.counts/,
    ],
    ['index past the end', () => masks.decode(count), /from 0 to 11/],
    ['index -1', () => masks.runs(-1).next(), /index/],
    ['selecting NaN', () => masks.select([0, Number.NaN]), /indices\[1\]/],
    ['selecting nothing', () => masks.select(undefined as never), /indices/],
    ['IoU with an array', () => masks.iou([] as never), /other/],
    ['IoU of two sizes', () => masks.iou(Masks.fromCoco(['1'], { width: 1, height: 1 })), /47 x 33/],
    ['crowd too short', () => masks.iou(masks, { crowd: [1] }), /an array of 12 flags/],
    ['an unknown option', () => masks.iou(masks, { crowds: [] } as never), /did you mean crowd/],
    ['no maxLost', () => masks.removeOverlaps({} as never), /maxLost/],
    ['maxLost of 20 %', () => masks.removeOverlaps({ maxLost: 20 }), /maxLost/],
  ];
  test.each(refused)('%s', (_, action, message) => {
    const error = refusal(action);
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });

  const malformed: [string, () => unknown, number][] = [
    ['a truncated Kaggle text', () => Masks.fromKaggle(['1 1', '4'], size), 1],
    ['a Kaggle text beyond the image', () => Masks.fromKaggle([`${one} 2`], size), 5],
    ['a non-ASCII digit', () => Masks.fromKaggle(['1 \u0661'], size), 2],
    // Its low byte is the digit 1.
    ['a character of two bytes', () => Masks.fromKaggle(['1 \u0131'], size), 2],
    ['a NUL', () => Masks.fromKaggle(['1 1\u00002'], size), 3],
    ['a truncated COCO string', () => Masks.fromCoco(['P'], size), 1],
    ['a COCO string of another size', () => Masks.fromCoco(['1'], size), 1],
    ['an empty COCO string', () => Masks.fromCoco([''], size), 0],
    ['counts with a sum that is too small', () => Masks.fromCounts([[1, 2, 3]], size), 3],
    ['a negative count', () => Masks.fromCounts([[one + 1, -1]], size), 1],
    ['a count of 33 bits', () => Masks.fromCounts([[2 ** 32 + one]], size), 0],
    ['a count that is NaN', () => Masks.fromCounts([Float64Array.of(Number.NaN)], size), 0],
  ];
  test.each(malformed)('%s', (_, action, position) => {
    const error = refusal(action);
    expect(error.code).toBe('RLE_MALFORMED');
    expect(error.details.position).toBe(position);
  });

  test('the error names the mask', () => {
    expect(refusal(() => Masks.fromKaggle(['1 1', 'x'], size)).message).toMatch(/^Mask 1: /);
    expect(refusal(() => Masks.fromCounts([[one], [1]], size)).message).toMatch(/^Mask 1: /);
  });

  test('COCO strings of few counts in many characters', () => {
    const tall = { width: 65_537, height: 65_535 };
    const full = Masks.fromCoco(['0oooooo3', '0oooooo3'], tall);
    expect(full.toCounts()).toEqual([Uint32Array.of(0, 2 ** 32 - 1), Uint32Array.of(0, 2 ** 32 - 1)]);
    expect(full.toCoco()).toEqual(['0oooooo3', '0oooooo3']);
  });

  test('a set does not share its arrays with the caller', () => {
    const batch = masks.toBatch();
    const copy = Masks.fromBatch(batch);
    batch.counts.fill(0);
    copy.toBatch().counts.fill(9);
    copy.toCounts()[0]!.fill(9);
    expect(copy.decode()).toEqual(pixels);
  });

  test('an image that does not fit into memory is refused with a message', () => {
    const huge = Masks.fromKaggle(['1 5', '1 4294967295', '7 1'], { width: 65537, height: 65535 });
    expect([...huge.areas()]).toEqual([5, 2 ** 32 - 1, 1]);
    // More than the address space.
    const many = huge.select(new Uint32Array(100_000));
    expect(refusal(() => many.decode()).code).toBe('OUT_OF_MEMORY');
  });
});

describe('the addon without the SDK', () => {
  const good = (): MaskBatch => ({
    height: 2,
    width: 3,
    counts: Uint32Array.of(1, 2, 3, 6),
    offsets: Uint32Array.of(0, 3, 4),
  });
  const bad: [string, unknown, ErrorCode][] = [
    ['nothing', undefined, 'INVALID_ARGUMENT'],
    ['an empty object', {}, 'INVALID_ARGUMENT'],
    ['no height', { ...good(), height: undefined }, 'INVALID_ARGUMENT'],
    ['a height of -1', { ...good(), height: -1 }, 'INVALID_ARGUMENT'],
    ['a height of 2^32', { ...good(), height: 2 ** 32 }, 'INVALID_ARGUMENT'],
    ['an image of 2^32 pixels', { ...good(), height: 65536, width: 65536 }, 'INVALID_ARGUMENT'],
    ['counts of another type', { ...good(), counts: new Int32Array(4) }, 'INVALID_ARGUMENT'],
    ['counts in an array', { ...good(), counts: [1, 2, 3, 6] }, 'INVALID_ARGUMENT'],
    ['no offsets', { ...good(), offsets: new Uint32Array(0) }, 'INVALID_ARGUMENT'],
    ['offsets from 1', { ...good(), offsets: Uint32Array.of(1, 3, 4) }, 'INVALID_ARGUMENT'],
    ['offsets past the counts', { ...good(), offsets: Uint32Array.of(0, 9, 4) }, 'INVALID_ARGUMENT'],
    ['descending offsets', { ...good(), offsets: Uint32Array.of(0, 3, 1, 4) }, 'INVALID_ARGUMENT'],
    ['offsets that end early', { ...good(), offsets: Uint32Array.of(0, 3) }, 'INVALID_ARGUMENT'],
    ['a mask without counts', { ...good(), offsets: Uint32Array.of(0, 3, 3, 4) }, 'RLE_MALFORMED'],
    ['a wrong sum', { ...good(), counts: Uint32Array.of(1, 2, 4, 6) }, 'RLE_MALFORMED'],
    ['a count of 0', { ...good(), counts: Uint32Array.of(1, 0, 5, 6) }, 'RLE_MALFORMED'],
    ['a sum past 32 bits', { ...good(), counts: Uint32Array.of(7, 2 ** 32 - 1, 1, 6) }, 'RLE_MALFORMED'],
  ];
  const takers: ((batch: MaskBatch) => unknown)[] = [
    (batch) => native().maskValidate(batch),
    (batch) => native().maskDecode(batch, new Uint8Array(12)),
    (batch) => native().maskToKaggle(batch),
    (batch) => native().maskToCoco(batch),
    (batch) => native().maskAreas(batch),
    (batch) => native().maskBoxes(batch),
    (batch) => native().maskRowRuns(batch),
    (batch) => native().maskIou(good(), batch, new Uint8Array(0), new Float64Array(4)),
    (batch) => native().maskUnion(batch),
    (batch) => native().maskIntersection(batch),
    (batch) => native().maskRemoveOverlaps(batch, 0.5),
    (batch) => native().maskToLabels(batch, new Uint16Array(6)),
    (batch) => native().maskContours(batch),
  ];

  test('every function accepts a valid batch', () => {
    for (const take of takers) expect(() => take(good())).not.toThrow();
  });

  test.each(bad)('every function refuses %s', (_, batch, code) => {
    for (const take of takers) {
      expect(() => take(batch as MaskBatch)).toThrow(expect.objectContaining({ code }));
    }
  });

  test('memory of the wrong size or type is refused', () => {
    const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
    expect(() => native().maskDecode(good(), new Uint8Array(11))).toThrow(invalid);
    expect(() => native().maskDecode(good(), new Uint8Array(13))).toThrow(invalid);
    expect(() => native().maskDecode(good(), new Float32Array(12) as never)).toThrow(invalid);
    expect(() => native().maskToLabels(good(), new Uint16Array(5))).toThrow(invalid);
    expect(() => native().maskToLabels(good(), new Uint8Array(6) as never)).toThrow(invalid);
    const [a, b] = [good(), good()];
    expect(() => native().maskIou(a, b, new Uint8Array(0), new Float64Array(3))).toThrow(invalid);
    expect(() => native().maskIou(a, b, new Uint8Array(1), new Float64Array(4))).toThrow(invalid);
    expect(() => native().maskEncode(new Uint8Array(5), 2, 3)).toThrow(invalid);
    expect(() => native().maskFromKaggle([''], Uint32Array.of(3), 2, 3)).toThrow(invalid);
    const three = Uint32Array.of(3);
    expect(() => native().maskFromCoco([1] as never, three, 2, 3, new Uint32Array(3))).toThrow(invalid);
    expect(() => native().maskFromCoco(['222'], three, 2, 3, new Uint32Array(2))).toThrow(invalid);
    expect(() => native().maskFromCoco(['222'], three, 2, 3, new Int32Array(3) as never)).toThrow(invalid);
    expect(native().maskFromCoco(['222'], three, 2, 3, new Uint32Array(3))).toEqual(Uint32Array.of(0, 3));
    expect(() => native().maskFromLabels(new Uint16Array(5), 2, 3)).toThrow(invalid);
    expect(() => native().maskRemoveOverlaps(good(), Number.NaN)).toThrow(invalid);
  });
});
