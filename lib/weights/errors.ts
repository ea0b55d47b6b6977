import { defined } from '../defined.js';
import { CellrouteError } from '../errors.js';

/** A position in a file. */
export interface Where {
  file: string;
  position?: number;
}

/** Maximum length of a message, because names in a malicious file can be as long as the file. */
const MAX_MESSAGE = 500;

type FileCode = 'WEIGHTS_FORMAT' | 'WEIGHTS_DAMAGED' | 'WEIGHTS_REFUSED';

function at(code: FileCode, { file, position }: Where, what: string, cause?: unknown): CellrouteError {
  if (what.length > MAX_MESSAGE) what = `${what.slice(0, MAX_MESSAGE)}…`;
  const place = position === undefined ? file : `${file}, byte ${position}`;
  return new CellrouteError(
    code,
    `${place}: ${what}`,
    { file, ...defined({ position }) },
    { ...defined({ cause }) },
  );
}

/** The file is not a weights file. */
export const notWeights = (where: Where, what: string) => at('WEIGHTS_FORMAT', where, what);

/** The file is truncated or inconsistent. */
export const damaged = (where: Where, what: string, cause?: unknown) =>
  at('WEIGHTS_DAMAGED', where, what, cause);

/** The file would have to be executed, or contains something that is not supported. */
export const refused = (where: Where, what: string) => at('WEIGHTS_REFUSED', where, what);

/** The end of the available bytes. A reader that has only the start of a file reads more and tries again. */
export class EndOfBytes extends CellrouteError {
  constructor({ file, position = 0 }: Where, what: string) {
    super('WEIGHTS_DAMAGED', `${file}, byte ${position}: ${what}`, { file, position });
  }
}
