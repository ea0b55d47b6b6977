import { totalmem } from 'node:os';

/** Bytes of memory that this process may use: a container's limit if there is one, else the machine's memory. */
export function availableMemory(): number {
  return Math.min(process.constrainedMemory?.() || Number.POSITIVE_INFINITY, totalmem());
}
