import { checkKeys, checkNumber, checkObject } from '../check.js';
import { ONLY_FOR_CLASSIFIERS } from './annotated.js';
import { quantile } from './quantile.js';
import type { DatasetContents, DatasetItem } from './types.js';

/** Options of {@link Dataset.summary}. */
export interface SummaryOptions {
  /** Maximum number of cells per image of the network. Adds a warning if an image has more. */
  detectionsPerImage?: number | undefined;
}

/** Summary of some images. */
export interface ImagesSummary {
  images: number;
  cells: number;
  /** Statistics of the number of cells per image. */
  cellsPerImage: { min: number; median: number; mean: number; max: number };
  /** Statistics of cell areas in pixels; null without cells or if areas are unknown. */
  cellArea: {
    min: number;
    p5: number;
    p25: number;
    median: number;
    p75: number;
    p95: number;
    max: number;
  } | null;
  /** Image with the most cells; null without images. */
  densest: { id: string; cells: number } | null;
}

export interface DatasetSummary extends ImagesSummary {
  /** By name; the type is null for images without one. */
  cellTypes: (ImagesSummary & { cellType: string | null })[];
  /** Image sizes, the most common first. */
  sizes: { width: number; height: number; images: number }[];
  imagesWithoutCells: number;
  classNames: string[];
  /** Number of rows and images that cannot be used, and of those skipped intentionally. */
  problems: number;
  notices: number;
  /** Warnings for training, as sentences. */
  warnings: string[];
}

export function summarise(dataset: DatasetContents, options: SummaryOptions): DatasetSummary {
  checkKeys('', checkObject('options', options), ['detectionsPerImage']);
  const { items } = dataset;
  const types: (string | undefined)[] = [...dataset.cellTypes];
  if (items.some(({ cellType }) => cellType === undefined)) types.push(undefined);
  return {
    ...summaryOf(items),
    cellTypes: types.map((type) => ({
      cellType: type ?? null,
      ...summaryOf(items.filter((item) => item.cellType === type)),
    })),
    sizes: sizesOf(items),
    imagesWithoutCells: items.filter(({ cells }) => cells === 0).length,
    classNames: [...dataset.classNames],
    problems: dataset.problems.length,
    notices: dataset.notices.length,
    warnings: warningsOf(items, options),
  };
}

function summaryOf(items: readonly DatasetItem[]): ImagesSummary {
  const counts = Float64Array.from(items, ({ cells }) => cells).sort();
  const cells = counts.reduce((sum, count) => sum + count, 0);
  // Of images with the same number of cells, the first by id.
  const densest = items.reduce<DatasetItem | undefined>(
    (best, item) => (best && best.cells >= item.cells ? best : item),
    undefined,
  );
  return {
    images: items.length,
    cells,
    cellsPerImage: {
      min: counts[0] ?? 0,
      median: quantile(counts, 0.5),
      mean: items.length === 0 ? 0 : cells / items.length,
      max: counts.at(-1) ?? 0,
    },
    cellArea: areasOf(items),
    densest: densest ? { id: densest.id, cells: densest.cells } : null,
  };
}

function areasOf(items: readonly DatasetItem[]): ImagesSummary['cellArea'] {
  const known = items.flatMap(({ areas }) => (areas ? [areas] : []));
  const total = known.reduce((sum, { length }) => sum + length, 0);
  if (known.length < items.length || total === 0) return null;
  const areas = new Float64Array(total);
  let at = 0;
  for (const own of known) {
    areas.set(own, at);
    at += own.length;
  }
  areas.sort();
  return {
    min: areas[0]!,
    p5: quantile(areas, 0.05),
    p25: quantile(areas, 0.25),
    median: quantile(areas, 0.5),
    p75: quantile(areas, 0.75),
    p95: quantile(areas, 0.95),
    max: areas.at(-1)!,
  };
}

function sizesOf(items: readonly DatasetItem[]): DatasetSummary['sizes'] {
  const sizes = new Map<string, DatasetSummary['sizes'][number]>();
  for (const { width, height } of items) {
    const key = `${width} ${height}`;
    const size = sizes.get(key);
    if (size) size.images++;
    else sizes.set(key, { width, height, images: 1 });
  }
  return [...sizes.values()].sort(
    (a, b) => b.images - a.images || b.width * b.height - a.width * a.height || b.width - a.width,
  );
}

function warningsOf(items: readonly DatasetItem[], options: SummaryOptions): string[] {
  const count = items.filter(({ typeOnly }) => typeOnly).length;
  const unannotated =
    count === 0
      ? []
      : [
          `${count} of ${items.length} images have a cell type and no annotated cells: ${ONLY_FOR_CLASSIFIERS}`,
        ];
  return [...unannotated, ...warningsOfLimit(items, options)];
}

function warningsOfLimit(items: readonly DatasetItem[], { detectionsPerImage }: SummaryOptions): string[] {
  if (detectionsPerImage === undefined) return [];
  const cap = checkNumber('detectionsPerImage', detectionsPerImage, { min: 1, integer: true });
  const above = items.filter(({ cells }) => cells > cap);
  if (above.length === 0) return [];
  const densest = above.reduce((best, item) => (best.cells >= item.cells ? best : item));
  return [
    `detectionsPerImage is ${cap}, but ${above.length} of ${items.length} images have more cells; the densest, ${densest.id}, has ${densest.cells}. Cells above the limit cannot be found`,
  ];
}
