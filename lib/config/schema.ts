import {
  checkBoolean,
  checkKeys,
  checkNumber,
  checkObject,
  checkOneOf,
  checkString,
  type NumberRange,
  refuse,
} from '../check.js';

/**
 * A reader validates one value of a configuration and returns its default for `undefined`; the path is for the error
 * message. A configuration is described once, as an object of readers. Its type, defaults and checks follow from that.
 */
export type Reader<T> = (value: unknown, path: string) => T;

type Shape = Record<string, Reader<unknown>>;
export type Read<R> = R extends Reader<infer T> ? T : never;
/** A partial configuration at every depth. */
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T;

const CODE = 'INVALID_CONFIG';

export const number =
  (fallback: number, range: NumberRange): Reader<number> =>
  (value, path) =>
    value === undefined ? fallback : checkNumber(path, value, range, CODE);

export const integer = (fallback: number, min: number, max: number): Reader<number> =>
  number(fallback, { min, max, integer: true });

export const flag =
  (fallback: boolean): Reader<boolean> =>
  (value, path) =>
    value === undefined ? fallback : checkBoolean(path, value, CODE);

export const oneOf =
  <const T extends string>(fallback: NoInfer<T>, allowed: readonly T[]): Reader<T> =>
  (value, path) =>
    value === undefined ? fallback : checkOneOf(path, value, allowed, CODE);

/** One of a few numbers, such as the depths of a ResNet. */
export const oneNumberOf =
  <const T extends number>(fallback: NoInfer<T>, allowed: readonly T[]): Reader<T> =>
  (value, path) => {
    if (value === undefined) return fallback;
    if ((allowed as readonly unknown[]).includes(value)) return value as T;
    throw refuse(path, `one of ${allowed.join(', ')}`, value, CODE);
  };

export const literal =
  <T extends string>(word: T): Reader<T> =>
  (value, path) =>
    value === undefined ? word : checkOneOf(path, value, [word], CODE);

export const list =
  <T>(fallback: readonly T[], item: Reader<T>, length: { min: number; max: number }): Reader<T[]> =>
  (value, path) => {
    if (value === undefined) return [...fallback];
    const size = length.min === length.max ? `${length.min}` : `${length.min} to ${length.max}`;
    if (!Array.isArray(value) || value.length < length.min || value.length > length.max) {
      throw refuse(path, `an array of ${size}`, value, CODE);
    }
    // Items have no default: null makes the item's reader reject a hole.
    return value.map((entry, i) => item(entry ?? null, `${path}[${i}]`));
  };

export const text: Reader<string> = (value, path) => checkString(path, value, CODE);

export const nullable =
  <T>(fallback: T | null, reader: Reader<T>): Reader<T | null> =>
  (value, path) =>
    value === undefined ? fallback : value === null ? null : reader(value, path);

export const object =
  <S extends Shape>(shape: S): Reader<{ [K in keyof S]: Read<S[K]> }> =>
  (value, path) => {
    const given = value === undefined ? {} : checkObject(path || 'config', value, CODE);
    checkKeys(path, given, Object.keys(shape), CODE);
    const result: Record<string, unknown> = {};
    for (const [key, reader] of Object.entries(shape))
      result[key] = reader(given[key], path ? `${path}.${key}` : key);
    return result as { [K in keyof S]: Read<S[K]> };
  };

/** A value without a default: the reader rejects a missing value. */
export const required =
  <T>(reader: Reader<T>): Reader<T> =>
  (value, path) =>
    reader(value ?? null, path);

type Variants<V extends Record<string, Shape>> = {
  [K in keyof V & string]: { kind: K } & { [P in keyof V[K]]: Read<V[K][P]> };
}[keyof V & string];

/** An object of one of several shapes, selected by `kind`. Each shape has its own defaults. */
export const variants =
  <const V extends Record<string, Shape>>(fallback: keyof V & string, shapes: V): Reader<Variants<V>> =>
  (value, path) => {
    const given = value === undefined ? {} : checkObject(path || 'config', value, CODE);
    const kind = oneOf(fallback, Object.keys(shapes))(given.kind, path ? `${path}.kind` : 'kind');
    const read = object({ kind: literal(kind), ...shapes[kind] });
    return read(given, path) as Variants<V>;
  };
