// Texts, counts and polygons of many masks, checked and joined to what crosses to the native side at once.
import { checkNumber, describe, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';

/** Counts of a set, and what one of them may be. */
const MOST_COUNTS = 2 ** 32 - 1;
/** Characters that texts are joined to, unless one alone is longer: far below what V8 gives a string. */
const MOST_JOINED = 2 ** 26;

/** A few long strings, how long each text is, and how long all are: what the native side takes for many texts. */
export function joinTexts(texts: unknown): { joined: string[]; lengths: Uint32Array; characters: number } {
  if (!Array.isArray(texts)) throw refuse('texts', 'an array of strings', texts);
  const given: readonly unknown[] = texts;
  const lengths = new Uint32Array(given.length);
  const joined: string[] = [];
  let [begin, room, characters] = [0, MOST_JOINED, 0];
  for (let i = 0; i < given.length; i++) {
    const text = given[i];
    if (typeof text !== 'string') throw refuse(`texts[${i}]`, 'a string', text);
    if (text.length > room) {
      joined.push(given.slice(begin, i).join(''));
      [begin, room] = [i, MOST_JOINED];
    }
    lengths[i] = text.length;
    room -= text.length;
    characters += text.length;
  }
  joined.push(given.slice(begin).join(''));
  return { joined, lengths, characters };
}

/** Checked one by one: a typed array would cut numbers to 32 bits without a word. */
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
  if (ends.at(-1)! > MOST_COUNTS) throw refuse('counts', `at most ${MOST_COUNTS} counts`, ends.at(-1));
  const joined = reserve(() => new Uint32Array(ends.at(-1)!));
  for (let i = 0; i < counts.length; i++) joined.set(counts[i]!, ends[i]);
  return { joined, offsets: Uint32Array.from(ends) };
}

export function joinPolygons(masks: readonly (readonly ArrayLike<number>[])[]) {
  if (!Array.isArray(masks)) throw refuse('masks', 'an array of arrays of polygons', masks);
  const polygons = [0];
  const offsets = [0];
  // entries(), so that holes are looked at too.
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
  if (polygons.at(-1)! > MOST_COUNTS) throw refuse('masks', `at most ${MOST_COUNTS} values`, polygons.at(-1));
  const points = reserve(() => new Float64Array(polygons.at(-1)!));
  for (const [p, polygon] of masks.flat().entries()) points.set(polygon, polygons[p]);
  return { points, polygons: Uint32Array.from(polygons), offsets: Uint32Array.from(offsets) };
}

function checkCounts(counts: ArrayLike<number>, mask: number): void {
  for (let k = 0; k < counts.length; k++) {
    const count = counts[k]!;
    if (Number.isInteger(count) && count >= 0 && count <= MOST_COUNTS) continue;
    const expected = `a whole number from 0 to ${MOST_COUNTS}`;
    const got = describe(count);
    throw new CellrouteError(
      'RLE_MALFORMED',
      `Mask ${mask}: expected ${expected} for count ${k} but received ${got}`,
      { option: `counts[${mask}][${k}]`, expected, got, position: k },
    );
  }
}

/** Large arrays are made here and not in native code, where memory that cannot be had would end the process. */
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
