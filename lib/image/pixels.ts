import { setImmediate as turn } from 'node:timers/promises';
import type { RawImage } from './types.js';

/** Pixels handled between two turns of the event loop. */
const SLICE = 1 << 20;

type Values = RawImage['data'];
type Make = new (length: number) => Values;

/** Some channels of interleaved pixels, in the order given. */
export async function pickChannels(data: Values, samples: number, picks: readonly number[]): Promise<Values> {
  const pixels = data.length / samples;
  const picked = new (data.constructor as Make)(pixels * picks.length);
  for (let begin = 0; begin < pixels; begin += SLICE) {
    if (begin > 0) await turn();
    const end = Math.min(pixels, begin + SLICE);
    for (const [c, pick] of picks.entries()) {
      for (let p = begin; p < end; p++) picked[p * picks.length + c] = data[p * samples + pick]!;
    }
  }
  return picked;
}

/** Channels of one image each, interleaved. */
export async function interleave(channels: readonly Values[]): Promise<Values> {
  const [first] = channels as [Values];
  if (channels.length === 1) return first;
  const joined = new (first.constructor as Make)(first.length * channels.length);
  for (let begin = 0; begin < first.length; begin += SLICE) {
    if (begin > 0) await turn();
    const end = Math.min(first.length, begin + SLICE);
    for (const [c, values] of channels.entries()) {
      for (let p = begin; p < end; p++) joined[p * channels.length + c] = values[p]!;
    }
  }
  return joined;
}

/** Each ink covers its share of what black leaves. */
export async function cmykToRgb(cmyk: Uint8Array): Promise<Uint8Array> {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4, to += 3) {
    if (from > 0 && from % (4 * SLICE) === 0) await turn();
    const white = 255 - cmyk[from + 3]!;
    for (let ink = 0; ink < 3; ink++) {
      rgb[to + ink] = white - Math.round((cmyk[from + ink]! * white) / 255);
    }
  }
  return rgb;
}
