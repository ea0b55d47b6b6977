import { CellrouteError } from './errors.js';

/** Short description of a value with its type, for errors. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string')
    return `${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)} (string)`;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return `${String(value)} (${typeof value})`;
  }
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const name = (value as object).constructor?.name ?? 'Object';
  if (ArrayBuffer.isView(value) && isDetached(value)) return `${name} whose ArrayBuffer is detached`;
  return ArrayBuffer.isView(value) ? `${name} of ${value.byteLength} bytes` : `an object (${name})`;
}

/** Whether an array has no memory any more, because it was transferred to another thread. */
export function isDetached(view: ArrayBufferView): boolean {
  if (view.byteLength > 0) return false;
  try {
    new Uint8Array(view.buffer);
    return false;
  } catch {
    return true;
  }
}

/** The codes of refused values. */
export type RefusalCode = 'INVALID_ARGUMENT' | 'INVALID_CONFIG' | 'ENSEMBLE_INVALID';

/** The message about a refused value: the option, what was expected and what was received. */
export function refuse(
  option: string,
  expected: string,
  value: unknown,
  code: RefusalCode = 'INVALID_ARGUMENT',
): CellrouteError {
  const got = describe(value);
  return new CellrouteError(code, `Expected ${expected} for ${option} but received ${got}`, {
    option,
    expected,
    got,
  });
}

/** The same error, about one of several masks. Its cause is the error without the mask's index. */
export function maskError(mask: number, error: CellrouteError): CellrouteError {
  return error.restated(`Mask ${mask}: ${error.message}`, { mask });
}

/** Indices of a list with this number of items, as an error states them. */
export const indexIn = (count: number): string => (count === 1 ? '0' : `an index from 0 to ${count - 1}`);

/** Inclusive range of a number. */
export interface NumberRange {
  min?: number;
  max?: number;
  integer?: boolean;
}

/** Checks that a value is a finite number within an inclusive range. NaN is refused. */
export function checkNumber(
  option: string,
  value: unknown,
  range: NumberRange = {},
  code?: RefusalCode,
): number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer = false } = range;
  if (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    (!integer || Number.isInteger(value))
  ) {
    return value;
  }
  const kind = integer ? 'an integer' : 'a number';
  const bounds =
    Number.isFinite(min) && Number.isFinite(max)
      ? ` from ${min} to ${max}`
      : Number.isFinite(min)
        ? ` of at least ${min}`
        : Number.isFinite(max)
          ? ` of at most ${max}`
          : '';
  throw refuse(option, kind + bounds, value, code);
}

export function checkString(option: string, value: unknown, code?: RefusalCode): string {
  if (typeof value === 'string' && value.length > 0) return value;
  throw refuse(option, 'a non-empty string', value, code);
}

export function checkBoolean(option: string, value: unknown, code?: RefusalCode): boolean {
  if (typeof value === 'boolean') return value;
  throw refuse(option, 'true or false', value, code);
}

export function checkOneOf<T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
  code?: RefusalCode,
): T {
  if (typeof value === 'string' && (allowed as readonly string[]).includes(value)) return value as T;
  throw refuse(option, `one of ${allowed.map((name) => `'${name}'`).join(', ')}`, value, code);
}

export function checkObject(option: string, value: unknown, code?: RefusalCode): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)) {
    return value as Record<string, unknown>;
  }
  throw refuse(option, 'an object', value, code);
}

/**
 * Refuses a value that is not iterable, such as a typed array whose memory was transferred.
 *
 * @param expected name of the items, such as `images`.
 */
export function checkIterable(option: string, value: unknown, expected: string): void {
  const isIterable =
    typeof value === 'object' &&
    value !== null &&
    (Symbol.iterator in value || Symbol.asyncIterator in value) &&
    !(ArrayBuffer.isView(value) && value.buffer.byteLength === 0);
  if (!isIterable) throw refuse(option, `an iterable of ${expected}`, value);
}

/** Refuses an unknown key and suggests the most similar known one. */
export function checkKeys(
  option: string,
  value: object,
  known: readonly string[],
  code: RefusalCode = 'INVALID_ARGUMENT',
): void {
  for (const key of Object.keys(checkObject(option || 'options', value, code))) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const path = option ? `${option}.${key}` : key;
    throw new CellrouteError(
      code,
      `Unknown option ${path}${near ? `; did you mean ${near}?` : `; known are ${known.join(', ')}`}`,
      {
        option: path,
        expected: known.join(', '),
        got: key,
      },
    );
  }
}

/**
 * Refuses options that are not an object, an unknown key, and a `signal` or `onProgress` of the wrong type.
 *
 * @param known keys of these options.
 */
export function checkOptions(options: unknown, known: readonly string[]): void {
  const given = checkObject('options', options);
  checkKeys('', given, known);
  const { signal, onProgress } = given;
  if (signal !== undefined && !isAbortSignal(signal)) throw refuse('signal', 'an AbortSignal', signal);
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw refuse('onProgress', 'a function', onProgress);
  }
}

/** Not instanceof: a signal may come from another realm (Jest, a vm context) or a polyfill. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener, throwIfAborted } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    [addEventListener, removeEventListener, throwIfAborted].every((method) => typeof method === 'function')
  );
}

function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(plain(word), plain(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(
        previous[j]! + 1,
        row[j - 1]! + 1,
        previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    previous = row;
  }
  return previous[b.length]!;
}
