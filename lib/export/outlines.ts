import type { Segmentation } from '../inference/result.js';
import type { Contours, Polygon, Ring } from '../mask/contours.js';

/**
 * Outlines of cells in pixels of the whole image: programs show a slide's full resolution, of which the result may be a
 * reduced level.
 */
export function outlinesOf({ slide }: Segmentation): (contours: Contours, index: number) => Polygon[] {
  const factor = slide?.downsample ?? 1;
  if (factor === 1) return (contours, index) => contours.polygons(index);
  // To a hundredth of a pixel, as QuPath rounds: equal corners stay equal.
  const scaled = (value: number) => Math.round(value * factor * 100) / 100;
  const scaledRing = (ring: Ring): Ring => ring.map(([x, y]) => [scaled(x), scaled(y)]);
  return (contours, index) =>
    contours.polygons(index).map(([outer, ...holes]) => [scaledRing(outer), ...holes.map(scaledRing)]);
}
