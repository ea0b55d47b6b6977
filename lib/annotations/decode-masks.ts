import { CellrouteError } from '../errors.js';
import type { Masks } from '../mask/masks.js';

export interface DecodedMasks {
  /** Of the values that are masks, in order. */
  masks: Masks;
  /** Index of each mask among the values. */
  kept: number[];
  /** The reason why a value is no mask, by index. */
  failures: ReadonlyMap<number, string>;
}

/** Decodes all values at once; where one is invalid, each by itself, so that the others are kept. */
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
  return [[index, reasonOf(failure.message)]];
}

const FIRST = 'Mask 0: ';

/** The message of an error about a single mask, without the mask's index. */
function reasonOf(message: string): string {
  const own = message.startsWith(FIRST) ? message.slice(FIRST.length) : message;
  return own.replaceAll('masks[0]', 'polygon ');
}
