import type { Cell } from '../inference/cells.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { cellTypeOf } from './named.js';
import { type Colour, palette } from './palette.js';

/** Class of a cell as programs show it. */
export interface CellClass {
  /**
   * The routed cell type; the segmenter's class where it has several, or without a router. `astro: dividing` names
   * both.
   */
  name: string;
  colour: Colour;
}

/** The classes of the cells of a result; the colour of a name is the same for all images of an ensemble. */
export function cellClasses(result: Segmentation | RoutedSegmentation): (cell: Cell) => CellClass {
  const type = cellTypeOf(result);
  const { classNames } = result.cells;
  const types = 'probabilities' in result ? Object.keys(result.probabilities).sort() : [];
  const first = type === undefined ? 0 : Math.max(0, types.indexOf(type)) * classNames.length;
  const known = new Map<number, CellClass>();
  return ({ label, className }) => {
    let found = known.get(label);
    if (!found) {
      const name = type === undefined ? className : classNames.length > 1 ? `${type}: ${className}` : type;
      found = { name, colour: palette[(first + label - 1) % palette.length]! };
      known.set(label, found);
    }
    return found;
  };
}
