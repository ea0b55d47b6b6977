import { createHash, type Hash } from 'node:crypto';
import type { ImageContent } from '../image/types.js';
import type { DatasetContents } from './types.js';

/** Processes one image at a time, so that memory holds the bytes of one image. */
export async function fingerprint(dataset: DatasetContents, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  add(hash, 'cellroute data set 1', ...dataset.classNames);
  for (const item of dataset.items) {
    signal?.throwIfAborted();
    const { image, masks, labels } = await item.load({ signal });
    const { counts, offsets } = masks.toBatch();
    add(
      hash,
      item.id,
      item.cellType === undefined ? 'no type' : `type ${item.cellType}`,
      item.width,
      item.height,
      ...(item.scale === undefined ? [] : [`scale ${item.scale}`]),
    );
    add(hash, labels, offsets, counts);
    addImage(hash, image);
  }
  return hash.digest('hex');
}

function addImage(hash: Hash, image: ImageContent): void {
  if ('data' in image) {
    const { data, width, height, channels } = image;
    add(hash, `raw ${data.BYTES_PER_ELEMENT}`, width, height, channels, data);
  } else {
    add(hash, 'file', image);
  }
}

/** Each value is preceded by its length, so that different sequences cannot give the same bytes. */
function add(hash: Hash, ...values: readonly (string | number | ArrayBufferView)[]): void {
  for (const value of values) {
    const bytes = ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : Buffer.from(String(value));
    hash.update(`${bytes.length} `).update(bytes);
  }
}
