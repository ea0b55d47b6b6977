import { CellrouteError } from '../errors.js';

/** A row, an annotation or an image that was left out, or a part of one, and the reason. */
export interface DataProblem {
  file: string;
  /** Line of a text file; the first line is 1. */
  row?: number;
  /** Column of a table, or path in a JSON file such as `annotations[3].segmentation`. */
  column?: string;
  /** Id of the image, where it is known. */
  id?: string;
  /** What is wrong, as the end of a sentence. */
  reason: string;
}

/** Limits the memory that a file with many problems can take. */
const MAX_KEPT = 10_000;
/** In an error message. */
const MAX_SHOWN = 20;

/** Collects problems or notices in a limited amount of memory. */
export class ProblemList {
  readonly #kept: DataProblem[] = [];
  #count = 0;

  add(...problems: readonly DataProblem[]): void {
    for (const problem of problems) {
      this.#count++;
      if (this.#kept.length < MAX_KEPT) this.#kept.push(problem);
    }
  }

  /** By row, where they have rows; above the limit, the last entry states how many were not kept. */
  list(): DataProblem[] {
    const sorted = this.#kept.toSorted((a, b) =>
      a.file === b.file && a.row !== undefined && b.row !== undefined ? a.row - b.row : 0,
    );
    const more = this.#count - this.#kept.length;
    if (more === 0) return sorted;
    return [...sorted, { file: sorted[0]!.file, reason: `${more} more problems, not kept` }];
  }
}

/** Place and reason in one line. */
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

/** The first problems, one per line, and how many more there are. */
export function problemLines(problems: readonly DataProblem[], max = MAX_SHOWN): string[] {
  const lines = problems.slice(0, max).map((problem) => `- ${problemLine(problem)}`);
  if (problems.length > max) lines.push(`- and ${problems.length - max} more`);
  return lines;
}

/** The error for a data set that cannot be used as it is. */
export function dataInvalid(
  file: string,
  what: string,
  problems: readonly DataProblem[] = [],
): CellrouteError {
  const lines = problemLines(problems).map((line) => `\n${line}`);
  return new CellrouteError('DATA_INVALID', `${file}: ${what}${lines.join('')}`, { file, got: what });
}
