import { InvalidArgumentError } from 'commander';

/** An option's number within an inclusive range. */
export function numberIn(min: number, max: number, { integer = false } = {}) {
  return (text: string): number => {
    const value = Number(text);
    if (
      text.trim() === '' ||
      !Number.isFinite(value) ||
      value < min ||
      value > max ||
      (integer && !Number.isInteger(value))
    ) {
      throw new InvalidArgumentError(
        `Expected ${integer ? 'a whole number' : 'a number'} from ${min} to ${max}.`,
      );
    }
    return value;
  };
}

/** Words separated by commas, each one of those allowed. */
export function wordsOf<T extends string>(allowed: readonly T[]) {
  return (text: string): T[] =>
    text.split(',').map((word) => {
      const found = allowed.find((candidate) => candidate === word.trim());
      if (!found)
        throw new InvalidArgumentError(`Expected some of ${allowed.join(', ')}, separated by commas.`);
      return found;
    });
}
