import { setImmediate as turn } from 'node:timers/promises';
import { types } from 'node:util';
import type { Intensity } from '../config/shared.js';
import type { RawImage } from './types.js';

/** Values looked at between two turns of the event loop. */
const SLICE = 1 << 21;

/**
 * What a rule of intensities makes of 16-bit values that use only their low bits, such as a 12-bit camera's: the type's
 * range maps them to near black, so a network sees another image than it saw of the same sample in 8 bits.
 */
export async function lowBitsNotice(
  { kind }: Pick<Intensity, 'kind'>,
  { data }: RawImage,
): Promise<string | undefined> {
  if (kind !== 'type-range' || !types.isUint16Array(data)) return undefined;
  let used = 0;
  for (let begin = 0; begin < data.length; begin += SLICE) {
    if (begin > 0) await turn();
    const end = Math.min(data.length, begin + SLICE);
    for (let i = begin; i < end; i++) used |= data[i]!;
    // One value in the upper half of the range is enough.
    if (used & 0x8000) return undefined;
  }
  const bits = Math.max(1, 32 - Math.clz32(used));
  const share = ((100 * 2 ** bits) / 65536).toPrecision(2);
  return (
    `its 16-bit values use ${bits} bits, ${share} % of the range that the model scales by (intensity type-range): ` +
    "scale the values to 0..65535, or load the model with config: { intensity: { kind: 'percentile' } }"
  );
}
