import { expect } from '@jest/globals';

// Makes all matchers compare typed arrays by bytes first. Jest would compare them element by element, which takes
// seconds per megabyte; it still does where bytes differ, so that a failure names the elements.
function sameBytes(this: unknown, a: unknown, b: unknown): true | undefined {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return undefined;
  const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return bytes(a).equals(bytes(b)) ? true : undefined;
}

expect.addEqualityTesters([sameBytes]);
