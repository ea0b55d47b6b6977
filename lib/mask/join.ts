// Checks the texts, counts and polygons of many masks, and concatenates them for one native call.
import { checkNumber, describe, maskError, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';

/** Maximum number of counts in a set, and maximum value of a count. */
const MAX_COUNTS = 2 ** 32 - 1;
/** Maximum length of a concatenated string, unless a single text is longer. V8's own limit is far higher. */
const MAX_JOINED_LENGTH = 2 ** 26;

/** Concatenates texts to a few long strings; `lengths` has the length of each text, `characters` their sum. */
export function joinTexts(texts: unknown): { joined: string[]; lengths: Uint32Array; characters: number } {
  if (!Array.isArray(texts)) throw refuse('texts', 'an array of strings', texts);
  const list: readonly unknown[] = texts;
  const lengths = new Uint32Array(list.length);
  const joined: string[] = [];
  let [begin, room, characters] = [0, MAX_JOINED_LENGTH, 0];
  for (let i = 0; i < list.length; i++) {
    const text = list[i];
    if (typeof text !== 'string') throw refuse(`texts[${i}]`, 'a string', text);
    if (text.length > room) {
      joined.push(list.slice(begin, i).join(''));
      [begin, room] = [i, MAX_JOINED_LENGTH];
    }
    lengths[i] = text.length;
    room -= text.length;
    characters += text.length;
  }
  joined.push(list.slice(begin).join(''));
  return { joined, lengths, characters };
}

/** Concatenates counts. Each number is checked, because a typed array would silently truncate it to 32 bits. */
export function joinCounts(counts: readonly ArrayLike<number>[]): {
  joined: Uint32Array;
  offsets: Uint32Array;
} {
  const ends = [0];
  for (let i = 0; i < counts.length; i++) {
    const own: unknown = counts[i];
    if (!Array.isArray(own) && !ArrayBuffer.isView(own)) {
      throw refuse(`counts[${i}]`, 'an array of numbers', own);
    }
    checkCounts(counts[i]!, i);
    ends.push(ends[i]! + counts[i]!.length);
  }
  if (ends.at(-1)! > MAX_COUNTS) throw refuse('counts', `at most ${MAX_COUNTS} counts`, ends.at(-1));
  const joined = reserve(() => new Uint32Array(ends.at(-1)!));
  for (let i = 0; i < counts.length; i++) joined.set(counts[i]!, ends[i]);
  return { joined, offsets: Uint32Array.from(ends) };
}

export function joinPolygons(masks: readonly (readonly ArrayLike<number>[])[]) {
  if (!Array.isArray(masks)) throw refuse('masks', 'an array of arrays of polygons', masks);
  const polygons = [0];
  const offsets = [0];
  // entries() also visits holes.
  for (const [i, own] of masks.entries()) {
    if (!Array.isArray(own)) throw refuse(`masks[${i}]`, 'an array of polygons', own);
    for (const [k, polygon] of (own as unknown[]).entries()) {
      const numbers = Array.isArray(polygon) || (ArrayBuffer.isView(polygon) && 'length' in polygon);
      if (!numbers) throw refuse(`masks[${i}][${k}]`, 'an array of numbers', polygon);
      const values = polygon as ArrayLike<unknown>;
      for (let at = 0; at < values.length; at++) checkNumber(`masks[${i}][${k}][${at}]`, values[at]);
      polygons.push(polygons.at(-1)! + values.length);
    }
    offsets.push(polygons.length - 1);
  }
  if (polygons.at(-1)! > MAX_COUNTS) throw refuse('masks', `at most ${MAX_COUNTS} values`, polygons.at(-1));
  const points = reserve(() => new Float64Array(polygons.at(-1)!));
  for (const [p, polygon] of masks.flat().entries()) points.set(polygon, polygons[p]);
  return { points, polygons: Uint32Array.from(polygons), offsets: Uint32Array.from(offsets) };
}

function checkCounts(counts: ArrayLike<number>, mask: number): void {
  for (let k = 0; k < counts.length; k++) {
    const count = counts[k]!;
    if (Number.isInteger(count) && count >= 0 && count <= MAX_COUNTS) continue;
    const expected = `a whole number from 0 to ${MAX_COUNTS}`;
    const got = describe(count);
    const details = { option: `counts[${mask}][${k}]`, expected, got, position: k };
    const message = `Expected ${expected} for count ${k} but received ${got}`;
    throw maskError(mask, new CellrouteError('RLE_MALFORMED', message, details));
  }
}

/** Allocates a large array in JavaScript, because a failed allocation in native code would end the process. */
export function reserve<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new CellrouteError(
      'OUT_OF_MEMORY',
      `Not enough memory: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  }
}
