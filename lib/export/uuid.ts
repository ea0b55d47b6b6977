import { createHash } from 'node:crypto';

/** Namespace of the ids of cells: a random UUID, fixed for ever. */
const NAMESPACE = Buffer.from('5d2f8a4e1c7b4f0e9a36d1c0b7e85f42', 'hex');

/** A UUID of version 5 (RFC 9562): the same for the same name, in every run. */
function uuidOf(name: string): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * Id of a cell, which links the outputs of one run: equal for the same cell of the same image, unlike that of every other
 * cell.
 *
 * @param counts the mask in COCO's compressed form.
 */
export const cellId = (image: string, index: number, counts: string): string =>
  uuidOf(`${image}\n${index}\n${counts}`);
