import type { Polygon, Ring } from '../mask/contours.js';

/** Converts the outline of a mask to an SVG path of horizontal and vertical steps. */
export function outlinePath(polygons: readonly Polygon[]): string {
  return polygons.flatMap((polygon) => polygon.map(ringPath)).join('');
}

function ringPath(ring: Ring): string {
  let [x, y] = ring[0]!;
  let path = `M${x} ${y}`;
  // `z` closes the ring, so its last corner is omitted. Every side is horizontal or vertical.
  for (const [nextX, nextY] of ring.slice(1, -1)) {
    path += nextX === x ? `v${nextY - y}` : `h${nextX - x}`;
    [x, y] = [nextX, nextY];
  }
  return `${path}z`;
}
