import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { crc32c } from '../crc32c.js';
import type { Zarrita } from './zarr-store.js';

/** The codecs of zarrita that are replaced here. */
const GUARDED = ['blosc', 'lz4', 'zstd', 'gzip', 'zlib', 'crc32c'] as const;
type Guarded = (typeof GUARDED)[number];

/** What zarrita tells a codec about the chunk. */
interface ChunkDescription {
  shape: readonly number[];
  dataType: string;
}

interface Codec {
  kind: 'bytes_to_bytes';
  encode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  computeEncodedSize?(decoded: number): number;
}

interface CodecClass {
  fromConfig(configuration: unknown, chunk: ChunkDescription): Codec;
}

/** Decodes with `decode`, zarrita's own, where it does not do so itself. Throws if more than `limit` bytes would result. */
type Decoder = (bytes: Uint8Array, limit: number, decode: Codec['decode']) => ReturnType<Codec['decode']>;

/** A decoder of zlib, which stops at the limit. */
const unzipping =
  (unzip: (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>): Decoder =>
  (bytes, limit) =>
    unzip(bytes, { maxOutputLength: limit }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_BUFFER_TOO_LARGE') checkDecoded(limit + 1, limit);
      throw new Error(error.message, { cause: error });
    });

const decoders: Record<Guarded, Decoder> = {
  gzip: unzipping(promisify(gunzip)),
  zlib: unzipping(promisify(inflate)),
  lz4(bytes, limit, decode) {
    checkDecoded(bytes.length < 4 ? undefined : viewOf(bytes).getUint32(0, true), limit);
    return decode(bytes);
  },
  blosc(bytes, limit, decode) {
    if (bytes.length < 16) throw new Error('the chunk is truncated');
    const view = viewOf(bytes);
    checkDecoded(view.getUint32(4, true), limit);
    checkDecoded(view.getUint32(8, true), limit);
    const length = view.getUint32(12, true);
    if (length !== bytes.length)
      throw new Error(`the chunk has ${bytes.length} bytes, and its header ${length}`);
    return decode(bytes);
  },
  zstd(bytes, limit, decode) {
    checkDecoded(zstdBytes(bytes), limit);
    return decode(bytes);
  },
  crc32c(bytes) {
    const content = bytes.subarray(0, -4);
    if (bytes.length < 4 || viewOf(bytes).getUint32(content.length, true) !== crc32c(content)) {
      throw new Error('the checksum is that of other bytes');
    }
    return content;
  },
};

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);

function checkDecoded(bytes: number | undefined, limit: number): void {
  if (bytes === undefined) throw new Error('the chunk is truncated');
  if (bytes > limit) throw new Error(`the chunk decodes to at least ${bytes} bytes, more than its shape has`);
}

const ZSTD_FRAME = 0xfd2fb528;
/** The 16 magic numbers of frames without content, without their last four bits. */
const ZSTD_SKIPPED = 0x184d2a5;
const ZSTD_MAX_BLOCK = 2 ** 17;
/** A writer that flushes often makes blocks of less than the largest size; this many times what is needed is accepted. */
const ZSTD_SMALL_BLOCKS = 4;

/**
 * Bytes that zstd frames (RFC 8878) decode to, by their headers and those of their blocks; undefined if they are truncated.
 * A header need not state the size, or may lie.
 */
function zstdBytes(bytes: Uint8Array): number | undefined {
  const view = viewOf(bytes);
  let total = 0;
  try {
    for (let at = 0; at < bytes.length; ) {
      const magic = view.getUint32(at, true);
      if (magic >>> 4 === ZSTD_SKIPPED) {
        at += 8 + view.getUint32(at + 4, true);
        continue;
      }
      if (magic !== ZSTD_FRAME) throw new Error('the chunk is not of zstd');
      const described = view.getUint8(at + 4);
      const isSingle = (described & 0x20) !== 0;
      const sizeBytes = ([isSingle ? 1 : 0, 2, 4, 8] as const)[described >> 6]!;
      const size = at + 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][described & 3]!;
      const stated = {
        0: () => 0,
        1: () => view.getUint8(size),
        2: () => view.getUint16(size, true) + 256,
        4: () => view.getUint32(size, true),
        8: () => Number(view.getBigUint64(size, true)),
      }[sizeBytes]!();
      at = size + sizeBytes;
      let maxBytes = 0;
      for (let isLast = false; !isLast; ) {
        const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
        isLast = (block & 1) === 1;
        const type = (block >> 1) & 3;
        const length = block >>> 3;
        maxBytes += type === 2 ? ZSTD_MAX_BLOCK : length;
        at += 3 + (type === 1 ? 1 : length);
      }
      if ((described & 4) !== 0) at += 4;
      total += Math.max(stated, maxBytes / ZSTD_SMALL_BLOCKS);
      if (at > bytes.length) return undefined;
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return total;
}

/** Bytes that any stage of decoding may have for a chunk: those of its samples, or a little more for another compression. */
function limitOf({ shape, dataType }: ChunkDescription): number {
  const bits = Number(/\d+$/.exec(dataType)?.[0] ?? 8);
  const bytes = shape.reduce((product, length) => product * length, bits / 8);
  return Math.ceil(bytes + bytes / 8) + ZSTD_MAX_BLOCK;
}

/** Replaces codecs in zarrita's registry, which belongs to all users of zarrita in the thread. */
export function guardCodecs({ registry }: Zarrita): void {
  const all = registry as Map<string, unknown>;
  for (const name of GUARDED) {
    // zarrita gives the codecs of Zarr 2 the prefix.
    for (const key of [name, `numcodecs.${name}`]) {
      const original = all.get(key) as (() => CodecClass | Promise<CodecClass>) | undefined;
      if (original) all.set(key, async () => guarded(await original(), decoders[name]));
    }
  }
}

function guarded(original: CodecClass, decoder: Decoder): CodecClass {
  return {
    fromConfig(configuration, chunk) {
      const codec = original.fromConfig(configuration, chunk);
      const limit = limitOf(chunk);
      return {
        kind: 'bytes_to_bytes',
        encode: (bytes) => codec.encode(bytes),
        decode: (bytes) => decoder(bytes, limit, (input) => codec.decode(input)),
        ...(codec.computeEncodedSize && {
          computeEncodedSize: (decoded: number) => codec.computeEncodedSize!(decoded),
        }),
      };
    },
  };
}
