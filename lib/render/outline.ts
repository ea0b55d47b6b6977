/** The pixels of a mask's box in row order, with a border of one pixel outside the mask. */
export interface MaskWindow {
  /** Position of the window's first pixel in the image; -1 if the mask touches the border of the image. */
  left: number;
  top: number;
  width: number;
  height: number;
  /** 1 inside the mask. */
  bits: Uint8Array;
}

/**
 * Calls `fill(x, y, width, height)` with the rectangles of a mask's inner rim, in an image enlarged `zoom` times.
 * The rim is `thickness` enlarged pixels wide and never leaves the mask. Clears the window's bits as it peels.
 */
export function drawRim(
  window: MaskWindow,
  zoom: number,
  thickness: number,
  fill: (x: number, y: number, width: number, height: number) => void,
): void {
  let left = thickness;
  for (; left >= zoom; left -= zoom) peel(window, (x, y) => fill(x * zoom, y * zoom, zoom, zoom));
  if (left > 0) drawEdges(window, zoom, left, fill);
}

/** Removes the outermost pixels of the mask (those with a 4-neighbour outside) and reports them. */
function peel(
  { left, top, width, height, bits }: MaskWindow,
  onRemoved: (x: number, y: number) => void,
): void {
  const rim: number[] = [];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1, at = y * width + 1; x < width - 1; x++, at++) {
      if (bits[at] && !(bits[at - 1] && bits[at + 1] && bits[at - width] && bits[at + width])) {
        rim.push(at);
        onRemoved(left + x, top + y);
      }
    }
  }
  for (const at of rim) bits[at] = 0;
}

/** Fills a strip along each side of each border pixel, and the corners between two strips. */
function drawEdges(
  { left, top, width, height, bits }: MaskWindow,
  zoom: number,
  thickness: number,
  fill: (x: number, y: number, width: number, height: number) => void,
): void {
  const far = zoom - thickness;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1, at = y * width + 1; x < width - 1; x++, at++) {
      if (!bits[at]) continue;
      const px = (left + x) * zoom;
      const py = (top + y) * zoom;
      const above = bits[at - width];
      const below = bits[at + width];
      const before = bits[at - 1];
      const after = bits[at + 1];
      if (!above) fill(px, py, zoom, thickness);
      if (!below) fill(px, py + far, zoom, thickness);
      if (!before) fill(px, py, thickness, zoom);
      if (!after) fill(px + far, py, thickness, zoom);
      if (above && before && !bits[at - width - 1]) fill(px, py, thickness, thickness);
      if (above && after && !bits[at - width + 1]) fill(px + far, py, thickness, thickness);
      if (below && before && !bits[at + width - 1]) fill(px, py + far, thickness, thickness);
      if (below && after && !bits[at + width + 1]) fill(px + far, py + far, thickness, thickness);
    }
  }
}
