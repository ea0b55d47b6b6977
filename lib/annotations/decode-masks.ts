import { CellrouteError, type MaskDetails } from '../errors.js';
import type { Masks } from '../mask/masks.js';

export interface DecodedMasks {
  /** Masks of the valid values, in order. */
  masks: Masks;
  /** Index of the value of each mask. */
  kept: number[];
  /** Reasons why values are invalid, by index. */
  failures: ReadonlyMap<number, string>;
}

/** Decodes all values together. If one is invalid, each is decoded separately, so that the others are kept. */
export function decodeMasks<T>(values: readonly T[], decode: (values: readonly T[]) => Masks): DecodedMasks {
  try {
    return { masks: decode(values), kept: [...values.keys()], failures: new Map() };
  } catch (error) {
    const failures = new Map([...values.keys()].flatMap((i) => failureOf(values, i, decode, error)));
    if (failures.size === 0) throw error;
    const kept = [...values.keys()].filter((i) => !failures.has(i));
    return { masks: decode(kept.map((i) => values[i]!)), kept, failures };
  }
}

function failureOf<T>(
  values: readonly T[],
  index: number,
  decode: (values: readonly T[]) => Masks,
  known: unknown,
): [number, string][] {
  let failure = known;
  if (values.length > 1) {
    try {
      decode([values[index]!]);
      return [];
    } catch (error) {
      failure = error;
    }
  }
  if (!(failure instanceof CellrouteError) || failure.code === 'OUT_OF_MEMORY') throw failure;
  return [[index, reasonOf(failure)]];
}

/** Message of an error about a single mask, without the index of the mask. */
function reasonOf(error: CellrouteError): string {
  const { mask } = error.details as MaskDetails;
  return mask === undefined ? error.message : (error.cause as CellrouteError).message;
}
