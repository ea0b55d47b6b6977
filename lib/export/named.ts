import type { RoutedSegmentation, Segmentation } from '../inference/result.js';

/** A result and what its image is called in the file that is written. */
export interface NamedResult {
  /** The image's name: in Kaggle's files without its ending, in COCO's with it. */
  id: string;
  result: Segmentation | RoutedSegmentation;
}

/** The cell type the router named, where there was a router. */
export function cellTypeOf(result: Segmentation | RoutedSegmentation): string | undefined {
  return 'cellType' in result ? result.cellType : undefined;
}
