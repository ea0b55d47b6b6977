const tileWidthTag = 322;

/**
 * Whether a page of a TIFF is stored in tiles rather than strips; false where its directory cannot be followed.
 * Every read is inside the file, and a chain of directories that loops ends with `page`.
 */
export function isTiled(bytes: Uint8Array, page: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  try {
    const big = view.getUint16(2, little) === 43;
    const pointer = (at: number) =>
      big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
    const entries = (at: number) =>
      big ? Number(view.getBigUint64(at, little)) : view.getUint16(at, little);
    const [countBytes, entryBytes] = big ? [8, 20] : [2, 12];
    let directory = pointer(big ? 8 : 4);
    for (let i = 0; i < page; i++) {
      directory = pointer(directory + countBytes + entries(directory) * entryBytes);
    }
    const count = entries(directory);
    for (let i = 0; i < count; i++) {
      if (view.getUint16(directory + countBytes + i * entryBytes, little) === tileWidthTag) return true;
    }
    return false;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
