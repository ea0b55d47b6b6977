import { types } from 'node:util';
import type { Intensity } from '../config/shared.js';
import { CellrouteError } from '../errors.js';
import { inParts, PART_VALUES } from '../in-parts.js';
import type { RawImage } from './types.js';

const REMEDY =
  "scale the values, or load the model with config: { intensity: { kind: 'percentile' } } and train it so";

const isAlpha = (index: number, channels: number): boolean =>
  (channels === 2 || channels === 4) && index % channels === channels - 1;

/**
 * Checks the values of an image before it is passed to a network: refuses values that do not fit the network's intensity
 * rule, and returns notices about how the rule maps them.
 *
 * @throws {CellrouteError} IMAGE_UNSUPPORTED
 */
export async function fitIntensity(rule: Pick<Intensity, 'kind'>, image: RawImage): Promise<string[]> {
  await checkIntensity(rule, image);
  const notice = await lowBitsNotice(rule, image);
  return notice === undefined ? [] : [notice];
}

/**
 * Refuses floats that do not fit the intensity rule. `type-range` expects 0..1, so counts of a camera would be an image that
 * is a thousand times too bright. Other rules scale by the image's own values.
 *
 * @throws {CellrouteError} IMAGE_UNSUPPORTED
 */
export async function checkIntensity({ kind }: Pick<Intensity, 'kind'>, image: RawImage): Promise<void> {
  const { data, channels, width } = image;
  if (kind !== 'type-range' || !types.isFloat32Array(data)) return;
  await inParts(data.length, PART_VALUES, (begin, end) => {
    for (let i = begin; i < end; i++) {
      const value = data[i]!;
      // NaN and infinity are refused later, with their position.
      if ((value >= 0 && value <= 1) || !Number.isFinite(value)) continue;
      if (isAlpha(i, channels)) continue;
      const pixel = Math.floor(i / channels);
      const got = `${value} at column ${pixel % width}, row ${Math.floor(pixel / width)}`;
      throw new CellrouteError(
        'IMAGE_UNSUPPORTED',
        `The image has floats outside 0..1 (${got}), which the model's intensity rule type-range expects: ${REMEDY}`,
        { option: 'intensity', expected: 'floats from 0 to 1', got },
      );
    }
  });
}

/**
 * Notice for 16-bit values that use only their low bits, such as those of a 12-bit camera. `type-range` maps them to nearly
 * black, so the network's input differs from that of the same sample in 8 bits.
 */
async function lowBitsNotice(
  { kind }: Pick<Intensity, 'kind'>,
  { data, channels }: RawImage,
): Promise<string | undefined> {
  if (kind !== 'type-range' || !types.isUint16Array(data)) return undefined;
  let used = 0;
  await inParts(data.length, PART_VALUES, (begin, end) => {
    // One value in the upper half of the range is enough.
    for (let i = begin; i < end && used < 0x8000; i++) if (!isAlpha(i, channels)) used |= data[i]!;
  });
  if (used & 0x8000) return undefined;
  const bits = Math.max(1, 32 - Math.clz32(used));
  const share = ((100 * 2 ** bits) / 65536).toPrecision(2);
  return `its 16-bit values use ${bits} bits, ${share} % of the range that the model's intensity rule type-range expects: ${REMEDY}`;
}
