import { types } from 'node:util';
import { inParts, PART_VALUES } from '../in-parts.js';
import type { RawImage } from './types.js';

type Values = RawImage['data'];

/** A new array of the type of another. Not by its constructor: that of a Buffer is deprecated. */
export function arrayLike(values: Values, length: number): Values {
  if (types.isUint8Array(values)) return new Uint8Array(length);
  return types.isUint16Array(values) ? new Uint16Array(length) : new Float32Array(length);
}

/** Selects channels of interleaved pixels, in the given order. */
export async function pickChannels(data: Values, samples: number, picks: readonly number[]): Promise<Values> {
  const pixels = data.length / samples;
  const picked = arrayLike(data, pixels * picks.length);
  await inParts(pixels, PART_VALUES, (begin, end) => {
    for (const [c, pick] of picks.entries()) {
      for (let p = begin; p < end; p++) picked[p * picks.length + c] = data[p * samples + pick]!;
    }
  });
  return picked;
}

/** Interleaves channels. */
export async function interleave(channels: readonly Values[]): Promise<Values> {
  const [first] = channels as [Values];
  if (channels.length === 1) return first;
  const joined = arrayLike(first, first.length * channels.length);
  await inParts(first.length, PART_VALUES, (begin, end) => {
    for (const [c, values] of channels.entries()) {
      for (let p = begin; p < end; p++) joined[p * channels.length + c] = values[p]!;
    }
  });
  return joined;
}

/** Converts CMYK to RGB: each ink absorbs its share of the light that black leaves. */
export async function cmykToRgb(cmyk: Uint8Array): Promise<Uint8Array> {
  const pixels = cmyk.length / 4;
  const rgb = new Uint8Array(pixels * 3);
  await inParts(pixels, PART_VALUES, (begin, end) => {
    for (let p = begin; p < end; p++) {
      const white = 255 - cmyk[4 * p + 3]!;
      for (let ink = 0; ink < 3; ink++) {
        rgb[3 * p + ink] = white - Math.round((cmyk[4 * p + ink]! * white) / 255);
      }
    }
  });
  return rgb;
}
