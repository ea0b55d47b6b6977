import { cannotWrite } from '../file-errors.js';
import { writeAtomically } from './atomic.js';
import { tensorBytes } from './layout.js';
import { MAX_HEADER_BYTES } from './safetensors.js';
import { bytesOf, checkUniqueNames, type TensorSource } from './source.js';
import type { DType } from './table.js';

const ALIGNMENT = 8;

/** Order of the Rust crate: types with the strictest alignment first, then sorted by name. */
const TYPE_ORDER: readonly DType[] = ['I64', 'F64', 'F32', 'I32', 'BF16', 'F16', 'I16', 'I8', 'U8', 'BOOL'];

/**
 * Writes a safetensors file, byte for byte as the Rust crate does. The file is replaced atomically.
 *
 * @throws CellrouteError FILE_UNWRITABLE; `signal.reason` after an abort
 */
export async function writeSafetensors(
  path: string,
  sources: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<void> {
  checkUniqueNames(sources, path);
  const ordered = [...sources].sort(
    (a, b) =>
      TYPE_ORDER.indexOf(a.dtype) - TYPE_ORDER.indexOf(b.dtype) ||
      Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
  );
  const header = headerOf(ordered, metadata);
  if (header.length > MAX_HEADER_BYTES)
    throw cannotWrite(path, `a header of ${header.length} bytes is too long`);
  await writeAtomically(path, inBlocks(partsOf(header, ordered, path, signal)));
}

async function* partsOf(
  header: Buffer,
  ordered: readonly TensorSource[],
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  yield length;
  yield header;
  for (const source of ordered) yield await bytesOf(source, path, signal);
}

/** Maximum bytes of parts that are written together. */
const BLOCK_BYTES = 1 << 20;

/**
 * Copies small parts into one block: a network has hundreds of small tensors, and each write waits for a thread. A block is
 * overwritten when the next one is requested.
 */
async function* inBlocks(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let used = 0;
  for await (const part of parts) {
    if (used > 0 && used + part.byteLength > BLOCK_BYTES) {
      yield block.subarray(0, used);
      used = 0;
    }
    if (part.byteLength > BLOCK_BYTES) {
      yield part;
      continue;
    }
    block.set(part, used);
    used += part.byteLength;
  }
  if (used > 0) yield block.subarray(0, used);
}

function headerOf(ordered: readonly TensorSource[], metadata: Readonly<Record<string, string>>): Buffer {
  // The JSON is built as text, because an object would lose a tensor named `__proto__` and reorder names such as `7`.
  const members: string[] = [];
  const texts = Object.entries(metadata);
  if (texts.length > 0) {
    members.push(
      `"__metadata__":{${texts.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`)}}`,
    );
  }
  let begin = 0;
  for (const { name, dtype, shape } of ordered) {
    const end = begin + tensorBytes({ dtype, shape });
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const text = Buffer.from(`{${members.join(',')}}`);
  const padding = (ALIGNMENT - (text.length % ALIGNMENT)) % ALIGNMENT;
  return Buffer.concat([text, Buffer.alloc(padding, ' ')]);
}
