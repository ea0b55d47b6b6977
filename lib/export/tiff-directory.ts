/** A tag of a TIFF directory. */
export type TiffTag =
  | { tag: number; type: 'short' | 'long' | 'rational'; values: readonly number[] }
  | { tag: number; type: 'ascii'; text: string };

/** Code and bytes of each type; offsets have 8 bytes in a BigTIFF. */
const TYPES = { ascii: [2, 1], short: [3, 2], long: [4, 4], rational: [5, 8], long8: [16, 8] } as const;

interface Field {
  tag: number;
  type: keyof typeof TYPES;
  count: number;
  bytes: Buffer;
}

/** Largest offset in a TIFF that is not a BigTIFF. */
const MAX_BYTES = 0xffffffff;
/** For the directory and its texts. */
const ROOM = 1 << 20;

/**
 * The beginning of a little-endian TIFF of one page: header and directory. The parts of the image follow one after the
 * other, with nothing between them. It is a BigTIFF if the file has about 4 GiB or more.
 *
 * @param places the tags of the parts' offsets and sizes.
 * @param sizes bytes of each part.
 */
export function tiffHead(
  tags: readonly TiffTag[],
  places: { offsets: number; sizes: number },
  sizes: readonly number[],
): Buffer {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const big = total + 8 * sizes.length + ROOM > MAX_BYTES;
  return headOf(
    [...tags.map((tag) => fieldOf(tag)), partSizes(places.sizes, sizes)],
    places.offsets,
    sizes,
    big,
  );
}

function headOf(
  others: readonly Field[],
  offsetsTag: number,
  sizes: readonly number[],
  big: boolean,
): Buffer {
  const word = big ? 8 : 4;
  const offsets: Field = {
    tag: offsetsTag,
    type: big ? 'long8' : 'long',
    count: sizes.length,
    bytes: Buffer.alloc(word * sizes.length),
  };
  const fields = [...others, offsets].sort((a, b) => a.tag - b.tag);
  const start = big ? 16 : 8;
  const entry = big ? 20 : 12;
  const end = start + (big ? 8 : 2) + entry * fields.length + word;
  // Values that do not fit into their entries follow the directory, at even positions.
  const places = new Map<Field, number>();
  let position = end + (end % 2);
  for (const field of fields) {
    if (field.bytes.length <= word) continue;
    places.set(field, position);
    position += field.bytes.length + (field.bytes.length % 2);
  }
  let part = position;
  for (const [i, size] of sizes.entries()) {
    writeWord(offsets.bytes, part, word * i, big);
    part += size;
  }
  const head = Buffer.alloc(position);
  head.write('II', 0, 'latin1');
  head.writeUInt16LE(big ? 43 : 42, 2);
  if (big) head.writeUInt16LE(8, 4);
  writeWord(head, start, word, big);
  let at = start;
  if (big) head.writeBigUInt64LE(BigInt(fields.length), at);
  else head.writeUInt16LE(fields.length, at);
  at += big ? 8 : 2;
  for (const field of fields) {
    head.writeUInt16LE(field.tag, at);
    head.writeUInt16LE(TYPES[field.type][0], at + 2);
    writeWord(head, field.count, at + 4, big);
    const place = places.get(field);
    if (place === undefined) field.bytes.copy(head, at + 4 + word);
    else {
      writeWord(head, place, at + 4 + word, big);
      field.bytes.copy(head, place);
    }
    at += entry;
  }
  return head;
}

function writeWord(bytes: Buffer, value: number, at: number, big: boolean): void {
  if (big) bytes.writeBigUInt64LE(BigInt(value), at);
  else bytes.writeUInt32LE(value, at);
}

function partSizes(tag: number, sizes: readonly number[]): Field {
  const bytes = Buffer.alloc(4 * sizes.length);
  for (const [i, size] of sizes.entries()) bytes.writeUInt32LE(size, 4 * i);
  return { tag, type: 'long', count: sizes.length, bytes };
}

function fieldOf(tag: TiffTag): Field {
  if (tag.type === 'ascii') {
    const bytes = Buffer.from(`${tag.text}\0`);
    return { tag: tag.tag, type: 'ascii', count: bytes.length, bytes };
  }
  const { type, values } = tag;
  const size = TYPES[type][1];
  const bytes = Buffer.alloc(size * values.length);
  for (const [i, value] of values.entries()) {
    if (type === 'short') bytes.writeUInt16LE(value, size * i);
    else if (type === 'long') bytes.writeUInt32LE(value, size * i);
    else writeRational(bytes, value, size * i);
  }
  return { tag: tag.tag, type, count: values.length, bytes };
}

/** A fraction close to the value: of the largest denominator whose numerator fits. */
function writeRational(bytes: Buffer, value: number, at: number): void {
  let denominator = 1;
  while (
    denominator < 1e9 &&
    value * denominator * 10 < MAX_BYTES &&
    !Number.isInteger(value * denominator)
  ) {
    denominator *= 10;
  }
  bytes.writeUInt32LE(Math.min(MAX_BYTES, Math.round(value * denominator)), at);
  bytes.writeUInt32LE(denominator, at + 4);
}
