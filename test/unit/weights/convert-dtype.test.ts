import {
  bfloat16FromFloat32,
  convertFloats,
  float16FromFloat32,
  float16Value,
  float32Of,
} from '../../../lib/weights/convert-dtype.js';
import { halfValue, random, runReference, testReference } from '../../support/weights.js';

const view = new DataView(new ArrayBuffer(4));
const bitsOf = (value: number) => {
  view.setFloat32(0, value);
  return view.getUint32(0);
};
const floatOf = (bits: number) => {
  view.setUint32(0, bits);
  return view.getFloat32(0);
};

/** Nearest value of a 16-bit type, even on a tie, found by comparing neighbours. */
function nearest(value: number, decode: (bits: number) => number, infinity: number): number {
  let low = 0;
  let high = infinity;
  const magnitude = Math.abs(value);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (decode(middle) <= magnitude) low = middle;
    else high = middle;
  }
  // The value after the largest finite one is used in place of infinity.
  const above = high === infinity ? 2 * decode(infinity - 1) - decode(infinity - 2) : decode(high);
  const below = magnitude - decode(low);
  const rest = above - magnitude;
  const chosen = below < rest || (below === rest && low % 2 === 0) ? low : high;
  return (
    (Object.is(Math.sign(value), -1) || Object.is(value, -0) ? 0x8000 : 0) |
    (magnitude === Infinity ? infinity : chosen)
  );
}

const bfloatValue = (bits: number) => floatOf(bits * 0x10000);

const types = [
  { name: 'float16', round: float16FromFloat32, decode: halfValue, infinity: 0x7c00 },
  { name: 'bfloat16', round: bfloat16FromFloat32, decode: bfloatValue, infinity: 0x7f80 },
];

describe.each(types)('$name', ({ round, decode, infinity }) => {
  test('every value is unchanged after conversion to float32 and back', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = decode(bits);
      if (Number.isNaN(value)) expect(decode(round(bitsOf(value)))).toBeNaN();
      else if (round(bitsOf(value)) !== bits)
        throw new Error(`${bits.toString(16)} came back as ${round(bitsOf(value))}`);
    }
  });

  test('a value halfway between two is rounded to even, values beside it to the nearest', () => {
    const odd: string[] = [];
    for (let bits = 0; bits < infinity - 1; bits++) {
      const half = (decode(bits) + decode(bits + 1)) / 2;
      if (Math.fround(half) !== half) continue;
      const tie = bitsOf(half);
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (round(tie) !== even || round(tie - 1) !== bits || round(tie + 1) !== bits + 1)
        odd.push(bits.toString(16));
    }
    expect(odd).toEqual([]);
  });

  test('any float32 is rounded to the nearest', () => {
    const next = random(1);
    for (let i = 0; i < 200_000; i++) {
      const bits = Math.floor(next() * 2 ** 32);
      const value = floatOf(bits);
      if (Number.isNaN(value)) {
        expect(decode(round(bits))).toBeNaN();
      } else if (round(bits) !== nearest(value, decode, infinity)) {
        throw new Error(`${value} became ${decode(round(bits))}`);
      }
    }
  });

  test('the signs of zero, infinity and NaN', () => {
    expect(round(bitsOf(-0))).toBe(0x8000);
    expect(round(bitsOf(Number.POSITIVE_INFINITY))).toBe(infinity);
    expect(round(bitsOf(Number.NEGATIVE_INFINITY))).toBe(0x8000 | infinity);
    // A NaN whose payload bits are all removed.
    expect(decode(round(0x7f800001))).toBeNaN();
    expect(decode(round(0xffffffff))).toBeNaN();
  });
});

test('float16 decodes by its definition', () => {
  const odd: number[] = [];
  for (let bits = 0; bits < 0x10000; bits++)
    if (!Object.is(float16Value(bits), halfValue(bits))) odd.push(bits);
  expect(odd).toEqual([]);
});

test('bytes with any alignment, and float64 by way of float32', () => {
  const bytes = new Uint8Array([9, ...new Uint8Array(Float64Array.of(1 / 3, -2, 1e300).buffer)]).subarray(1);
  expect(Array.from(float32Of(bytes, 'F64'))).toEqual([Math.fround(1 / 3), -2, Number.POSITIVE_INFINITY]);
  expect(Array.from(new Uint16Array(convertFloats(bytes, 'F64', 'F16').buffer), halfValue)).toEqual([
    0.333251953125,
    -2,
    Number.POSITIVE_INFINITY,
  ]);
  expect(convertFloats(bytes, 'F64', 'F32')).toHaveLength(12);
});

testReference('PyTorch rounds the same', async () => {
  const script = `
import json, torch
torch.manual_seed(0)
bits = torch.randint(-2**31, 2**31, (20000,)).to(torch.int32)
floats = bits.view(torch.float32)
bits = bits[~floats.isnan()]
floats = bits.view(torch.float32)
as_bits = lambda t: (t.view(torch.int16).to(torch.int32) & 0xffff).tolist()
print(json.dumps([bits.tolist(), as_bits(floats.half()), as_bits(floats.bfloat16())]))
`;
  const [bits, half, bfloat] = runReference<[number[], number[], number[]]>(script);
  expect(bits.map((value) => float16FromFloat32(value >>> 0))).toEqual(half);
  expect(bits.map((value) => bfloat16FromFloat32(value >>> 0))).toEqual(bfloat);
});
