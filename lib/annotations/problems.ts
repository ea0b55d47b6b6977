import { CellrouteError } from '../errors.js';

/** A skipped row, annotation or image (or a part of one), and the reason. */
export interface DataProblem {
  file: string;
  /** Line of a text file; the first line is 1. */
  row?: number;
  /** Column of a table, or path in a JSON file such as `annotations[3].segmentation`. */
  column?: string;
  /** Id of the image, if known. */
  id?: string;
  /** The reason, as a clause that completes a sentence. */
  reason: string;
}

/** Maximum number of stored problems, to limit memory. */
const MAX_KEPT = 10_000;
/** Maximum number of problems in an error message. */
const MAX_SHOWN = 20;

/** A list of problems or notices with limited memory. */
export class ProblemList {
  readonly #kept: DataProblem[] = [];
  #count = 0;

  add(...problems: readonly DataProblem[]): void {
    for (const problem of problems) {
      this.#count++;
      if (this.#kept.length < MAX_KEPT) this.#kept.push(problem);
    }
  }

  /** Problems sorted by row. Above the limit, the last entry has the number of problems that were not stored. */
  list(): DataProblem[] {
    const sorted = this.#kept.toSorted((a, b) =>
      a.file === b.file && a.row !== undefined && b.row !== undefined ? a.row - b.row : 0,
    );
    const more = this.#count - this.#kept.length;
    if (more === 0) return sorted;
    return [...sorted, { file: sorted[0]!.file, reason: `${more} more problems` }];
  }
}

/** Location and reason in one line. */
export function problemLine({ file, row, column, id, reason }: DataProblem): string {
  const place = [
    file,
    ...(row === undefined ? [] : [`row ${row}`]),
    ...(column === undefined ? [] : [column]),
    ...(id === undefined ? [] : [`image ${id}`]),
  ];
  // Control characters of a malicious file must not reach a terminal.
  return `${place.join(', ')}: ${reason}`.replaceAll(/[\p{Cc}\p{Cf}]/gu, '�');
}

/** The first problems, one per line, and the number of others. */
export function problemLines(problems: readonly DataProblem[], max = MAX_SHOWN): string[] {
  const lines = problems.slice(0, max).map((problem) => `- ${problemLine(problem)}`);
  if (problems.length > max) lines.push(`- and ${problems.length - max} more`);
  return lines;
}

/** Error for a data set that cannot be used. */
export function dataInvalid(
  file: string,
  what: string,
  problems: readonly DataProblem[] = [],
): CellrouteError {
  const lines = problemLines(problems).map((line) => `\n${line}`);
  return new CellrouteError('DATA_INVALID', `${file}: ${what}${lines.join('')}`, { file, got: what });
}
