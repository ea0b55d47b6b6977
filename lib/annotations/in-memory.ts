import type { CellAnnotations, ImageAnnotations } from './types.js';

/** Annotations whose masks are in memory. */
export function inMemory(
  image: Pick<ImageAnnotations, 'name' | 'fileName' | 'place'> & Partial<ImageAnnotations>,
  cells: CellAnnotations,
): ImageAnnotations {
  const { width, height } = cells.masks;
  return {
    columns: {},
    ...image,
    size: { width, height },
    needsSize: false,
    locate: async () => ({ reason: `${image.place.file} does not state where its images are` }),
    read: async () => ({ cells, problems: [], notices: [] }),
  };
}
