import { refuse } from '../check.js';
import type { NativeContours } from '../native/contract.js';

/** Corner [x, y] of the pixel grid. Pixel (x, y) extends from corner (x, y) to corner (x + 1, y + 1). */
export type Corner = [x: number, y: number];
/** A closed ring: the last corner equals the first, as in GeoJSON. */
export type Ring = Corner[];
/** The outer ring, then the holes. */
export type Polygon = [outer: Ring, ...holes: Ring[]];

/**
 * Outlines of masks along pixel edges. The data are typed arrays; polygons are created on request.
 *
 * Pixels that share only a corner belong to two polygons, and no ring touches itself. The sum of
 * `x[i] * y[i + 1] - x[i + 1] * y[i]` is positive for outer rings and negative for holes. This is GeoJSON's
 * counterclockwise order (RFC 7946), and looks clockwise on an image, where y grows downwards.
 */
export class Contours {
  /** Number of masks. */
  readonly length: number;
  readonly #native: NativeContours;

  /** @internal */
  constructor(contours: NativeContours) {
    this.#native = contours;
    this.length = contours.masks.length - 1;
  }

  /**
   * The outlines of one mask as polygons: the coordinates of a GeoJSON MultiPolygon, in pixels.
   *
   * ```ts
   * const coordinates = masks.contours().polygons(0);
   * const geometry = { type: 'MultiPolygon', coordinates };
   * ```
   *
   * @param index of the mask, from 0.
   * @returns one polygon per connected part; none for a mask without pixels.
   * @throws {CellrouteError} INVALID_ARGUMENT for an index that does not exist.
   */
  polygons(index: number): Polygon[] {
    const { masks, polygons, rings } = this.#native;
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw refuse('index', `a mask from 0 to ${this.length - 1}`, index);
    }
    const result: Polygon[] = [];
    for (let p = masks[index]!; p < masks[index + 1]!; p++) {
      const outer = polygons[p]!;
      const polygon: Polygon = [this.#ring(rings[outer]!, rings[outer + 1]!)];
      for (let r = outer + 1; r < polygons[p + 1]!; r++) polygon.push(this.#ring(rings[r]!, rings[r + 1]!));
      result.push(polygon);
    }
    return result;
  }

  #ring(begin: number, end: number): Ring {
    const { points } = this.#native;
    const ring: Ring = [];
    for (let i = begin; i < end; i++) ring.push([points[2 * i]!, points[2 * i + 1]!]);
    ring.push([...ring[0]!]);
    return ring;
  }
}
