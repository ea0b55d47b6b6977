// Slow reference for transforming an image with its masks: dense arrays, one operation after the other.

/** Values in row order, with any number of planes. */
export interface Dense {
  width: number;
  height: number;
  planes: Float64Array[];
}

export function dense(
  width: number,
  height: number,
  at: (x: number, y: number, plane: number) => number,
  planes = 1,
): Dense {
  return {
    width,
    height,
    planes: Array.from({ length: planes }, (_, plane) =>
      Float64Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width), plane)),
    ),
  };
}

const value = (image: Dense, x: number, y: number, plane: number) =>
  image.planes[plane]![y * image.width + x]!;

/** An image of this size whose pixels are copied from the positions `from`; `fill` outside. */
function moved(
  image: Dense,
  width: number,
  height: number,
  from: (x: number, y: number) => [number, number],
  fill = 0,
): Dense {
  return dense(
    width,
    height,
    (x, y, plane) => {
      const [sx, sy] = from(x, y);
      const inside = sx >= 0 && sy >= 0 && sx < image.width && sy < image.height;
      return inside ? value(image, sx, sy, plane) : fill;
    },
    image.planes.length,
  );
}

export const flipHorizontal = (p: Dense) => moved(p, p.width, p.height, (x, y) => [p.width - 1 - x, y]);
export const flipVertical = (p: Dense) => moved(p, p.width, p.height, (x, y) => [x, p.height - 1 - y]);
/** A counterclockwise quarter turn: the last column becomes the first row. */
export const quarterTurn = (p: Dense) => moved(p, p.height, p.width, (x, y) => [p.width - 1 - y, x]);
export const crop = (p: Dense, left: number, top: number, width: number, height: number, fill = 0) =>
  moved(p, width, height, (x, y) => [x + left, y + top], fill);

/** Pillow's antialiased bilinear resize, in float64: the triangle widens where the image shrinks. */
export function resizeBilinear(p: Dense, width: number, height: number): Dense {
  const weights = (from: number, to: number, i: number) => {
    const scale = from / to;
    const support = Math.max(scale, 1);
    const centre = (i + 0.5) * scale;
    const all = Array.from({ length: from }, (_, j) => Math.max(0, 1 - Math.abs(j + 0.5 - centre) / support));
    const total = all.reduce((sum, weight) => sum + weight, 0);
    return all.map((weight) => weight / total);
  };
  const rows = dense(width, p.height, () => 0, p.planes.length);
  const result = dense(width, height, () => 0, p.planes.length);
  for (let plane = 0; plane < p.planes.length; plane++) {
    for (let x = 0; x < width; x++) {
      const along = weights(p.width, width, x);
      for (let y = 0; y < p.height; y++) {
        rows.planes[plane]![y * width + x] = along.reduce(
          (sum, weight, j) => sum + weight * value(p, j, y, plane),
          0,
        );
      }
    }
    for (let y = 0; y < height; y++) {
      const down = weights(p.height, height, y);
      for (let x = 0; x < width; x++) {
        result.planes[plane]![y * width + x] = down.reduce(
          (sum, weight, j) => sum + weight * value(rows, x, j, plane),
          0,
        );
      }
    }
  }
  return result;
}

/** Each pixel gets the source pixel at its centre. */
export const resizeNearest = (p: Dense, width: number, height: number) =>
  moved(p, width, height, (x, y) => [
    Math.floor(((x + 0.5) * p.width) / width),
    Math.floor(((y + 0.5) * p.height) / height),
  ]);

/** x, y, width, height of the pixels that are not 0; zeros if there are none. */
export function boxOf(p: Dense): number[] {
  let [left, top, right, bottom] = [p.width, p.height, 0, 0];
  p.planes[0]!.forEach((bit, i) => {
    if (!bit) return;
    const x = i % p.width;
    const y = Math.floor(i / p.width);
    [left, top, right, bottom] = [
      Math.min(left, x),
      Math.min(top, y),
      Math.max(right, x + 1),
      Math.max(bottom, y + 1),
    ];
  });
  return right > 0 ? [left, top, right - left, bottom - top] : [0, 0, 0, 0];
}

/**
 * Pixels where an image that was made of a mask is sure, and the mask says otherwise: the two may differ within a
 * pixel of the outline only.
 */
export function misaligned(image: Dense, mask: Dense): number[] {
  const [values, bits] = [image.planes[0]!, mask.planes[0]!];
  return [...values.keys()].filter((i) => (bits[i] ? values[i]! < 0.001 : values[i]! > 0.999));
}
