import type { CellAnnotations, ImageAnnotations } from './types.js';

/** Annotations whose masks are in memory. Without `locate`, an image is not found. */
export function inMemory(
  image: Pick<ImageAnnotations, 'name' | 'fileName' | 'place'> & Partial<ImageAnnotations>,
  cells: CellAnnotations,
): ImageAnnotations {
  const { width, height } = cells.masks;
  return {
    columns: {},
    locate: async () => ({ reason: `${image.place.file} does not state where its images are` }),
    ...image,
    size: { width, height },
    needsSize: false,
    read: async () => ({ cells, problems: [], notices: [] }),
  };
}
