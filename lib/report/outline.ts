import type { Polygon, Ring } from '../mask/contours.js';

/** A mask's outline as an SVG path along the sides of its pixels, in steps from corner to corner. */
export function outlinePath(polygons: readonly Polygon[]): string {
  return polygons.flatMap((polygon) => polygon.map(ringPath)).join('');
}

function ringPath(ring: Ring): string {
  let [x, y] = ring[0]!;
  let path = `M${x} ${y}`;
  // The last corner is the first again, which z goes to; sides are upright or level
  for (const [nextX, nextY] of ring.slice(1, -1)) {
    path += nextX === x ? `v${nextY - y}` : `h${nextX - x}`;
    [x, y] = [nextX, nextY];
  }
  return `${path}z`;
}
