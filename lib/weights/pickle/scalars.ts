import { damaged, type Where } from '../errors.js';

/** Maximum size of an integer. Those of a checkpoint have 8 bytes, a random generator's state 2.5 KiB. */
const MAX_INTEGER_BYTES = 4096;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const asNumber = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

/** Reads a little-endian two's complement integer of any length (LONG1, LONG4). */
export function longFromBytes(bytes: Buffer, where: Where): number | bigint {
  if (bytes.length > MAX_INTEGER_BYTES) throw damaged(where, `an integer has ${bytes.length} bytes`);
  if (bytes.length === 0) return 0;
  const hex = Buffer.from(bytes).reverse().toString('hex');
  return asNumber(BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`)));
}

/** Reads a decimal integer from a line (INT, LONG), with Python 2's optional suffix `L`. */
export function longFromText(line: Buffer, where: Where): number | bigint {
  const text = line.toString('latin1').trim();
  if (line.length > 2 * MAX_INTEGER_BYTES || !/^[+-]?\d+L?$/.test(text)) {
    throw damaged(where, 'a pickle has an invalid integer');
  }
  return asNumber(BigInt(text.replace(/^\+|L$/g, '')));
}

const FLOAT_TEXT = /^[+-]?(\d+\.?\d*(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|inf|nan)$/i;

/** Reads a float from a line (FLOAT), as Python's `repr` writes it. */
export function floatFromText(line: Buffer, where: Where): number {
  const text = line.toString('latin1').trim();
  if (line.length > 1024 || !FLOAT_TEXT.test(text)) throw damaged(where, 'a pickle has an invalid float');
  return Number(text.replace(/inf/i, 'Infinity').replace(/[+-]?nan/i, 'NaN'));
}

export function textFromUtf8(bytes: Buffer, where: Where): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw damaged(where, 'a pickle has a text that is not UTF-8');
  }
}

/** Reads a text with `\uXXXX` and `\UXXXXXXXX` escapes (UNICODE). */
export function textFromRawUnicodeEscape(line: Buffer, where: Where): string {
  return line.toString('latin1').replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_, short, long) => {
    const code = Number.parseInt(short ?? long, 16);
    if (code > 0x10ffff) throw damaged(where, 'a pickle has a character beyond Unicode');
    return String.fromCodePoint(code);
  });
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Reads a quoted Python 2 string (STRING), one character per byte. */
export function textFromQuoted(line: Buffer, where: Where): string {
  const text = line.toString('latin1').trim();
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text.at(-1) !== quote) {
    throw damaged(where, 'a pickle has a string without quotes');
  }
  return text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))/g, (_, hex, octal, other: string) => {
      if (hex) return String.fromCharCode(Number.parseInt(hex, 16));
      if (octal) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      return ESCAPES[other] ?? other;
    });
}
