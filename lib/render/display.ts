import { types } from 'node:util';
import { arrayLike } from '../image/pixels.js';
import type { RawImage } from '../image/types.js';
import { inParts, PART_VALUES } from '../in-parts.js';

/** Quantiles of the values that are drawn black and white. */
const darkShare = 0.001;
const brightShare = 0.999;
/** 8-bit images whose brightest values are below this are stretched too, because their cells would be invisible. */
const dimBelow = 100;

/**
 * Converts values to 8 bits for display: one channel for grey, three for colour, without alpha. 16-bit and float images
 * are stretched between quantiles, with all channels alike. 8-bit images are unchanged unless they are very dark. The
 * result may be the memory of the image itself and must not be written to.
 */
export async function forDisplay(image: RawImage): Promise<Uint8Array> {
  const { data, channels } = image;
  const colours = channels < 3 ? 1 : 3;
  const shades = await shadesOf(data, ...displayRange(image, colours));
  if (channels === colours) return shades;
  const opaque = new Uint8Array((shades.length / channels) * colours);
  await inParts(shades.length / channels, PART_VALUES, (begin, end) => {
    for (let i = begin, from = begin * channels, to = begin * colours; i < end; i++) {
      for (let colour = 0; colour < colours; colour++) opaque[to + colour] = shades[from + colour]!;
      from += channels;
      to += colours;
    }
  });
  return opaque;
}

/** Maps values between low and high to 0..255; NaN becomes 0. */
async function shadesOf(data: RawImage['data'], low: number, high: number): Promise<Uint8Array> {
  if (types.isUint8Array(data) && low === 0 && high === 255) return data;
  const scale = 255 / (high - low);
  const shade = (value: number) => {
    const shown = (value - low) * scale;
    return shown > 0 ? Math.min(255, Math.round(shown)) : 0;
  };
  const shades = new Uint8Array(data.length);
  if (types.isFloat32Array(data)) {
    await inParts(data.length, PART_VALUES, (begin, end) => {
      for (let i = begin; i < end; i++) shades[i] = shade(data[i]!);
    });
  } else {
    const table = Uint8Array.from({ length: 2 ** (8 * data.BYTES_PER_ELEMENT) }, (_, value) => shade(value));
    await inParts(data.length, PART_VALUES, (begin, end) => {
      for (let i = begin; i < end; i++) shades[i] = table[data[i]!]!;
    });
  }
  return shades;
}

function displayRange(image: RawImage, colours: number): [number, number] {
  const sample = sampleValues(image, colours);
  const at = (share: number) => sample[Math.round(share * (sample.length - 1))] ?? 0;
  const bright = at(brightShare);
  if (types.isUint8Array(image.data)) return [0, bright >= dimBelow || bright === 0 ? 255 : bright];
  const dark = at(darkShare);
  return bright > dark ? [dark, bright] : [dark, dark + 1];
}

/** Finite values of about 100,000 pixels, in ascending order. */
function sampleValues({ data, channels }: RawImage, colours: number): RawImage['data'] {
  const pixels = data.length / channels;
  // An odd step visits all columns, because common widths are even.
  const step = Math.max(1, Math.floor(pixels / 100_000) | 1);
  // Whole numbers are sorted several times as fast as floats.
  const values = arrayLike(data, Math.ceil(pixels / step) * colours);
  let count = 0;
  for (let pixel = 0; pixel < pixels; pixel += step) {
    for (let colour = 0; colour < colours; colour++) {
      const value = data[pixel * channels + colour]!;
      if (Number.isFinite(value)) values[count++] = value;
    }
  }
  return values.subarray(0, count).sort();
}
