// Serialization of the detections of tiles, for rows that are segmented as jobs and for runs that are resumed.
import { createHash } from 'node:crypto';
import { CellrouteError } from '../errors.js';
import type { MaskBatch } from '../mask/masks.js';
import type { NativeTile, NativeTileDetections } from '../native/contract.js';

/** One tile of a slide; `tile` is undefined where it was skipped as background. */
export interface SegmentedTile {
  index: number;
  tile: NativeTile | undefined;
}

/** First bytes; the digit is the version of the format. */
const MAGIC = Buffer.from('cellroute-tiles-1\n');
const HASH_BYTES = 32;

/** Arrays of a tile in the order of the file. Arrays of 4-byte values come first, so that all are aligned. */
const ARRAYS = [
  ['boxes', Float32Array],
  ['scores', Float32Array],
  ['labels', Int32Array],
  ['tiles', Uint32Array],
  ['owners', Uint32Array],
  ['counts', Uint32Array],
  ['offsets', Uint32Array],
  ['cut', Uint8Array],
] as const;
type ArrayName = (typeof ARRAYS)[number][0];

interface TileHeader {
  index: number;
  skipped?: true;
  detectionsCapped?: boolean;
  proposalsCapped?: boolean;
  height?: number;
  width?: number;
  lengths?: number[];
}

interface Header {
  plan: string;
  tiles: TileHeader[];
}

const arrayOf = (tile: NativeTile, name: ArrayName) =>
  name === 'counts' || name === 'offsets' ? tile.masks[name] : tile[name];

const padded = (bytes: number) => Math.ceil(bytes / 4) * 4;

/** Serializes tiles: magic bytes, a header with the id of the plan, arrays, and a SHA-256 of everything before it. */
export function encodeTiles(plan: string, tiles: readonly SegmentedTile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const header: Header = {
    plan,
    tiles: tiles.map(({ index, tile }) => {
      if (!tile) return { index, skipped: true };
      const arrays = ARRAYS.map(([name]) => arrayOf(tile, name));
      for (const { buffer, byteOffset, byteLength } of arrays) {
        parts.push(new Uint8Array(buffer, byteOffset, byteLength));
        parts.push(new Uint8Array(padded(byteLength) - byteLength));
      }
      const { detectionsCapped, proposalsCapped, masks } = tile;
      const { height, width } = masks;
      return {
        index,
        detectionsCapped,
        proposalsCapped,
        height,
        width,
        lengths: arrays.map(({ length }) => length),
      };
    }),
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.byteLength);
  const body = Buffer.concat([MAGIC, length, text, ...parts]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/**
 * The tiles of {@link encodeTiles}.
 *
 * @param what names the bytes in errors.
 * @throws {CellrouteError} DATA_INVALID for damaged bytes, RESUME_REFUSED for those of another plan.
 */
export function decodeTiles(bytes: Uint8Array, plan: string, what: string): SegmentedTile[] {
  const damaged = (reason: string) =>
    new CellrouteError('DATA_INVALID', `${what} cannot be used: ${reason}`, { got: reason });
  const body = bytes.subarray(0, Math.max(0, bytes.byteLength - HASH_BYTES));
  const hash = createHash('sha256').update(body).digest();
  if (!MAGIC.equals(body.subarray(0, MAGIC.byteLength))) throw damaged('it has no tiles of this version');
  if (!hash.equals(bytes.subarray(body.byteLength))) throw damaged('its bytes are damaged');
  const start = MAGIC.byteLength + 4;
  if (body.byteLength < start) throw damaged('it has no table');
  const length = Buffer.from(body.buffer, body.byteOffset, body.byteLength).readUInt32LE(MAGIC.byteLength);
  const header = parseHeader(body.subarray(start, start + length));
  if (!header) throw damaged('its table is damaged');
  if (header.plan !== plan) {
    throw new CellrouteError('RESUME_REFUSED', `${what} belongs to another slide, model or set of options`, {
      file: what,
    });
  }
  let at = start + length;
  return header.tiles.map(({ index, skipped, lengths, height = 0, width = 0, ...capped }) => {
    if (skipped || !lengths) return { index, tile: undefined };
    const arrays = {} as Record<ArrayName, never>;
    for (const [i, [name, Type]] of ARRAYS.entries()) {
      const byteLength = lengths[i]! * Type.BYTES_PER_ELEMENT;
      if (at + byteLength > body.byteLength) throw damaged('it ends before its last tile');
      // A copy: the bytes may begin anywhere.
      arrays[name] = new Type(Uint8Array.from(body.subarray(at, at + byteLength)).buffer) as never;
      at += padded(byteLength);
    }
    const { counts, offsets, ...rest } = arrays;
    const masks: MaskBatch = { height, width, counts, offsets };
    const { detectionsCapped = false, proposalsCapped = false } = capped;
    return { index, tile: { ...rest, masks, detectionsCapped, proposalsCapped } };
  });
}

/** The table of the tiles; undefined if it has another form. */
function parseHeader(bytes: Uint8Array): Header | undefined {
  try {
    const header = JSON.parse(new TextDecoder().decode(bytes)) as Header;
    const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
    const isTile = ({ index, lengths, height = 0, width = 0 }: Header['tiles'][number]) =>
      [index, height, width].every(isCount) &&
      (lengths === undefined || (lengths.length === ARRAYS.length && lengths.every(isCount)));
    return header.tiles.every(isTile) ? header : undefined;
  } catch {
    return undefined;
  }
}

/** Selects detections of several tiles; `indices` are ascending, over all detections of all tiles. */
export function pickDetections(
  all: readonly NativeTileDetections[],
  indices: Uint32Array,
): NativeTileDetections[] {
  const picked: NativeTileDetections[] = [];
  let begin = 0;
  let next = 0;
  for (const part of all) {
    const end = begin + part.scores.length;
    const own: number[] = [];
    while (next < indices.length && indices[next]! < end) own.push(indices[next++]! - begin);
    begin = end;
    if (own.length > 0) picked.push(pick(part, own));
  }
  return picked;
}

function pick(part: NativeTileDetections, own: readonly number[]): NativeTileDetections {
  const { boxes, scores, labels, tiles, owners, cut, masks } = part;
  const { counts, offsets, height, width } = masks;
  const pieces = own.map((i) => counts.subarray(offsets[i], offsets[i + 1]));
  const ends = [0];
  for (const { length } of pieces) ends.push(ends.at(-1)! + length);
  const joined = new Uint32Array(ends.at(-1)!);
  for (const [i, piece] of pieces.entries()) joined.set(piece, ends[i]);
  return {
    boxes: Float32Array.from(own.flatMap((i) => Array.from(boxes.subarray(4 * i, 4 * i + 4)))),
    scores: Float32Array.from(own, (i) => scores[i]!),
    labels: Int32Array.from(own, (i) => labels[i]!),
    tiles: Uint32Array.from(own, (i) => tiles[i]!),
    owners: Uint32Array.from(own, (i) => owners[i]!),
    cut: Uint8Array.from(own, (i) => cut[i]!),
    masks: { height, width, counts: joined, offsets: Uint32Array.from(ends) },
  };
}
