import { CellrouteError } from '../errors.js';

/** A row, an annotation or an image that was left out, and why. */
export interface DataProblem {
  file: string;
  /** Line of a text file, its first being 1. */
  row?: number;
  /** Column of a table, or place in a JSON file such as `annotations[3].segmentation`. */
  column?: string;
  /** Of the image, where it is known. */
  id?: string;
  /** A sentence's end: what is wrong. */
  reason: string;
}

/** A file in which everything is wrong may not fill the memory with what is wrong. */
const MOST_KEPT = 10_000;
/** In an error's message. */
const MOST_SHOWN = 20;

/** Gathers what a reader cannot use. */
export class ProblemList {
  readonly #kept: DataProblem[] = [];
  #count = 0;

  add(problem: DataProblem): void {
    this.#count++;
    if (this.#kept.length < MOST_KEPT) this.#kept.push(problem);
  }

  /** All of them; past ten thousand, the last entry says how many more there were. */
  list(): DataProblem[] {
    const more = this.#count - this.#kept.length;
    if (more === 0) return this.#kept;
    return [...this.#kept, { file: this.#kept[0]!.file, reason: `${more} more problems, not kept` }];
  }
}

/** Where it is and what is wrong, in one line. */
export function problemLine({ file, row, column, id, reason }: DataProblem): string {
  const place = [
    file,
    ...(row === undefined ? [] : [`row ${row}`]),
    ...(column === undefined ? [] : [column]),
    ...(id === undefined ? [] : [`image ${id}`]),
  ];
  // Control characters of a hostile file must not reach a terminal.
  return `${place.join(', ')}: ${reason}`.replaceAll(/[\p{Cc}\p{Cf}]/gu, '�');
}

/** The error of a data set that may not be used as it is. */
export function dataInvalid(
  file: string,
  what: string,
  problems: readonly DataProblem[] = [],
): CellrouteError {
  const shown = problems.slice(0, MOST_SHOWN).map((problem) => `\n- ${problemLine(problem)}`);
  const more = problems.length - shown.length;
  if (more > 0) shown.push(`\n- and ${more} more`);
  return new CellrouteError('DATA_INVALID', `${file}: ${what}${shown.join('')}`, { file, got: what });
}
