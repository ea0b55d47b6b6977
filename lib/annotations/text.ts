import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { unreadable } from '../file-errors.js';
import { dataInvalid } from './problems.js';

const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/**
 * Yields the bytes of a UTF-8 file without its byte-order mark.
 *
 * @throws {CellrouteError} DATA_INVALID if the bytes are not UTF-8.
 */
export async function* checkedUtf8(path: string, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let tail: Buffer = Buffer.alloc(0);
  let position = 0;
  for await (const chunk of source) {
    let bytes = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
    if (position === 0) {
      const [first, second] = bytes;
      // No text has a NUL: without a byte-order mark, one of the first two bytes of UTF-16 is one.
      const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
      if (isUtf16 || ((first === 0) !== (second === 0) && bytes.length > 1)) {
        throw dataInvalid(path, 'it is UTF-16 text: save it as UTF-8');
      }
      if (bytes.indexOf(BYTE_ORDER_MARK) === 0) {
        bytes = bytes.subarray(BYTE_ORDER_MARK.length);
        position = BYTE_ORDER_MARK.length;
      }
    }
    const end = completeLength(bytes);
    const whole = bytes.subarray(0, end);
    if (!isUtf8(whole)) throw notUtf8(path, position);
    tail = bytes.subarray(end);
    position += end;
    if (end > 0) yield whole;
  }
  if (tail.length > 0) throw notUtf8(path, position);
}

const notUtf8 = (path: string, position: number) =>
  dataInvalid(path, `it is not UTF-8 text (after byte ${position}): save it as UTF-8`);

/** Number of bytes without an incomplete character at the end. */
function completeLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Non-JSON values that Python's json module writes for floats. */
const PYTHON_NUMBERS = ['NaN', 'Infinity', '-Infinity'].map((text) => Buffer.from(text));
const LONGEST = 9;
const NULL = Buffer.from('null');

/** Replaces NaN and Infinity outside strings by null, so that they are read as missing values. */
export async function* nullForNaN(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let inString = false;
  let escaped = false;
  const scan = function* (bytes: Buffer, isLast: boolean): Generator<Buffer> {
    let from = 0;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      if (byte === QUOTE) inString = true;
      if (byte !== 0x4e && byte !== 0x49 && byte !== 0x2d) continue;
      if (!isLast && bytes.length - i < LONGEST) {
        // The word may continue in the next chunk.
        if (i > from) yield bytes.subarray(from, i);
        held = bytes.subarray(i);
        return;
      }
      const word = PYTHON_NUMBERS.find((one) => bytes.subarray(i, i + one.length).equals(one));
      if (!word) continue;
      if (i > from) yield bytes.subarray(from, i);
      yield NULL;
      i += word.length - 1;
      from = i + 1;
    }
    if (from < bytes.length) yield from === 0 ? bytes : bytes.subarray(from);
    held = Buffer.alloc(0);
  };
  for await (const chunk of source) {
    yield* scan(held.length === 0 ? chunk : Buffer.concat([held, chunk]), false);
  }
  yield* scan(held, true);
}

/**
 * Reads a JSON file. NaN and Infinity become null.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID if it is not JSON or not UTF-8.
 */
export async function readJson(path: string, signal?: AbortSignal): Promise<unknown> {
  const bytes = await readFile(path, { signal }).catch(unreadable(path, signal));
  const parts: Buffer[] = [];
  for await (const part of nullForNaN(checkedUtf8(path, single(bytes)))) parts.push(part);
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch (error) {
    throw dataInvalid(path, `it cannot be read as JSON: ${(error as Error).message}`);
  }
}

async function* single(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
