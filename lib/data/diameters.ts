import type { SignalOptions } from '../abort.js';
import { quantile } from './quantile.js';
import type { DatasetItem } from './types.js';

/** Sizes of the annotated cells of a data set. */
export interface CellSizes {
  cells: number;
  /**
   * Geometric mean of the images' median diameters, in pixels: a diameter is that of a circle with the cell's area.
   * Each image has the same weight, so that one with a thousand cells does not dominate.
   */
  diameter: number;
  /** 10th and 90th percentile of all diameters. */
  range: readonly [low: number, high: number];
  /** Cells of the image with the most cells. */
  maxPerImage: number;
}

/** The diameter of a circle with this area. */
export const diameterOf = (area: number): number => Math.sqrt((4 * area) / Math.PI);

/**
 * Measures the cells of these images; undefined where there are none.
 *
 * @param factorOf what the diameters of an image are multiplied with; default 1.
 */
export async function cellSizes(
  items: readonly DatasetItem[],
  { signal, factorOf = () => 1 }: SignalOptions & { factorOf?: (item: DatasetItem) => number } = {},
): Promise<CellSizes | undefined> {
  const all: number[] = [];
  const medians: number[] = [];
  let maxPerImage = 0;
  for (const item of items) {
    const areas = item.areas ?? (await item.load({ signal })).masks.areas();
    const factor = factorOf(item);
    const own = Float64Array.from(areas, (area) => factor * diameterOf(area)).sort();
    maxPerImage = Math.max(maxPerImage, own.length);
    if (own.length === 0) continue;
    medians.push(quantile(own, 0.5));
    for (const diameter of own) all.push(diameter);
  }
  if (all.length === 0) return undefined;
  const sorted = Float64Array.from(all).sort();
  const logs = medians.reduce((sum, median) => sum + Math.log(median), 0);
  return {
    cells: all.length,
    diameter: Math.exp(logs / medians.length),
    range: [quantile(sorted, 0.1), quantile(sorted, 0.9)],
    maxPerImage,
  };
}
