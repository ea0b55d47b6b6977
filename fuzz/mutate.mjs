// Inputs derived from a seed by a list of small changes, which fast-check generates and shrinks.
import fc from 'fast-check';

/** Limits of integer types, for lengths, offsets and counts. */
const NUMBERS = [
  0,
  1,
  2,
  4,
  127,
  128,
  255,
  256,
  32767,
  65535,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 53,
  1e300,
];
const NUMBER_TEXTS = [
  '0',
  '-1',
  '1e9',
  '4294967296',
  '9007199254740993',
  '1e400',
  '-0',
  '0.5',
  'NaN',
  '00',
  '',
];

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const small = fc.nat(64);

/** One change. Positions are fractions of the input, so that they stay in range while a list of changes shrinks. */
const change = fc.oneof(
  fc.record({ kind: fc.constant('bit'), at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('byte'), at, value: fc.nat(255) }),
  fc.record({
    kind: fc.constant('number'),
    at,
    value: fc.constantFrom(...NUMBERS),
    bytes: fc.constantFrom(1, 2, 4, 8),
    big: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('text'), at, value: fc.constantFrom(...NUMBER_TEXTS) }),
  fc.record({ kind: fc.constant('word'), at, word: at, over: fc.boolean() }),
  fc.record({ kind: fc.constant('delete'), at, length: small }),
  fc.record({ kind: fc.constant('repeat'), at, length: small, times: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('move'), at, from: at, length: small }),
  fc.record({ kind: fc.constant('splice'), at, other: at, from: at, length: fc.nat(512) }),
  fc.record({ kind: fc.constant('cut'), at }),
);

export const inputs = fc.record({ seed: at, changes: fc.array(change, { maxLength: 8 }) });

/** Maximum length of an input. */
const MAX_BYTES = 1 << 18;

const place = (fraction, length) => Math.floor(fraction * length);

function replaced(bytes, start, end, middle) {
  return Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(end)]);
}

/** Range of the digits around a position, or the position itself. */
function numberAround(bytes, start) {
  const isDigit = (i) => bytes[i] >= 0x30 && bytes[i] <= 0x39;
  let from = start;
  while (from < bytes.length && !isDigit(from)) from++;
  let to = from;
  while (to < bytes.length && isDigit(to)) to++;
  return from === to ? [start, start] : [from, to];
}

function apply(bytes, step, { pool, words }) {
  const start = place(step.at, bytes.length + 1);
  switch (step.kind) {
    case 'bit':
    case 'byte': {
      if (start >= bytes.length) return bytes;
      const copy = Buffer.from(bytes);
      copy[start] = step.kind === 'bit' ? copy[start] ^ (1 << step.bit) : step.value;
      return copy;
    }
    case 'number': {
      const value = Buffer.alloc(8);
      const whole = BigInt.asUintN(8 * step.bytes, BigInt(Math.min(step.value, Number.MAX_SAFE_INTEGER)));
      if (step.big) value.writeBigUInt64BE(whole << BigInt(64 - 8 * step.bytes));
      else value.writeBigUInt64LE(whole);
      return replaced(bytes, start, start + step.bytes, value.subarray(0, step.bytes));
    }
    case 'text':
      return replaced(bytes, ...numberAround(bytes, start), Buffer.from(step.value));
    case 'word': {
      if (words.length === 0) return bytes;
      const word = words[place(step.word, words.length)];
      return replaced(bytes, start, step.over ? start + word.length : start, word);
    }
    case 'delete':
      return replaced(bytes, start, start + step.length, Buffer.alloc(0));
    case 'repeat': {
      const part = bytes.subarray(start, start + step.length);
      return replaced(bytes, start, start, Buffer.concat(Array(step.times).fill(part)));
    }
    case 'move': {
      const from = place(step.from, bytes.length);
      return replaced(bytes, start, start, bytes.subarray(from, from + step.length));
    }
    case 'splice': {
      const other = pool[place(step.other, pool.length)];
      const from = place(step.from, other.length);
      return replaced(bytes, start, start + step.length, other.subarray(from, from + step.length));
    }
    default:
      return bytes.subarray(0, start);
  }
}

/** Bytes of an input: the seed with all changes applied. */
export function bytesOf({ seed, changes }, { pool, words }) {
  let bytes = pool[place(seed, pool.length)];
  for (const step of changes) bytes = apply(bytes, step, { pool, words }).subarray(0, MAX_BYTES);
  return bytes;
}
