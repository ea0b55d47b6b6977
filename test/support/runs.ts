/** COCO's compressed string to counts, written apart from the library's so that one checks the other. */
export function decodeCoco(text: string): number[] {
  const counts: number[] = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    let group: number;
    do {
      group = text.charCodeAt(at++) - 48;
      value |= (group & 31) << shift;
      shift += 5;
    } while (group & 32);
    // The last group's highest bit is the sign.
    if (group & 16) value |= -1 << shift;
    if (counts.length > 2) value += counts[counts.length - 2]!;
    counts.push(value);
  }
  return counts;
}

/** Pixel by pixel; two empty masks are equal. */
export function iou(a: number[], b: number[]): number {
  const [one, other] = [pixels(a), pixels(b)];
  expect(one.length).toBe(other.length);
  let both = 0;
  let either = 0;
  for (let i = 0; i < one.length; i++) {
    both += one[i]! & other[i]!;
    either += one[i]! | other[i]!;
  }
  return either === 0 ? 1 : both / either;
}

function pixels(counts: number[]): Uint8Array {
  const result = new Uint8Array(counts.reduce((sum, count) => sum + count, 0));
  let start = 0;
  for (const [i, count] of counts.entries()) {
    if (i % 2 === 1) result.fill(1, start, start + count);
    start += count;
  }
  return result;
}
