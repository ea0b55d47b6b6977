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
import { CellrouteError } from '../errors.js';

/** A JSON Schema (draft 2020-12), or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * A reader validates one value of a configuration and returns its default for `undefined`; the path is for the error
 * message. A configuration is described once, as an object of readers. Its type, defaults, checks and JSON Schema follow from
 * that.
 */
export interface Reader<T> {
  (value: unknown, path: string): T;
  /** The values that it accepts. */
  readonly schema?: JsonSchema;
  /** Whether there is no default. */
  readonly isRequired?: boolean;
}

type Shape = Record<string, Reader<unknown>>;
export type Read<R> = R extends Reader<infer T> ? T : never;
/** A partial configuration at every depth. */
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T;

const CODE = 'INVALID_CONFIG';

/** A reader with the schema of the values that it accepts. */
export const described = <T>(
  read: (value: unknown, path: string) => T,
  schema: JsonSchema,
  isRequired = false,
): Reader<T> =>
  // A new function: the same reader may be described twice.
  Object.assign((value: unknown, path: string) => read(value, path), { schema, isRequired });

/** The schema of a reader; one without a schema accepts anything. */
const schemaOf = (reader: Reader<unknown>): JsonSchema => reader.schema ?? {};

export const number = (fallback: number, range: NumberRange): Reader<number> =>
  described((value, path) => (value === undefined ? fallback : checkNumber(path, value, range, CODE)), {
    type: range.integer ? 'integer' : 'number',
    ...(range.min !== undefined && { minimum: range.min }),
    ...(range.max !== undefined && { maximum: range.max }),
    default: fallback,
  });

export const integer = (fallback: number, min: number, max: number): Reader<number> =>
  number(fallback, { min, max, integer: true });

export const flag = (fallback: boolean): Reader<boolean> =>
  described((value, path) => (value === undefined ? fallback : checkBoolean(path, value, CODE)), {
    type: 'boolean',
    default: fallback,
  });

export const oneOf = <const T extends string>(fallback: NoInfer<T>, allowed: readonly T[]): Reader<T> =>
  described((value, path) => (value === undefined ? fallback : checkOneOf(path, value, allowed, CODE)), {
    enum: allowed,
    default: fallback,
  });

/** One of a few numbers, such as the depths of a ResNet. */
export const oneNumberOf = <const T extends number>(fallback: NoInfer<T>, allowed: readonly T[]): Reader<T> =>
  described(
    (value, path) => {
      if (value === undefined) return fallback;
      if ((allowed as readonly unknown[]).includes(value)) return value as T;
      throw refuse(path, `one of ${allowed.join(', ')}`, value, CODE);
    },
    { enum: allowed, default: fallback },
  );

export const literal = <T extends string>(word: T): Reader<T> =>
  described((value, path) => (value === undefined ? word : checkOneOf(path, value, [word], CODE)), {
    const: word,
  });

export const list = <T>(
  fallback: readonly T[],
  item: Reader<T>,
  length: { min: number; max: number },
): Reader<T[]> =>
  described(
    (value, path) => {
      if (value === undefined) return [...fallback];
      const size = length.min === length.max ? `${length.min}` : `${length.min} to ${length.max}`;
      if (!Array.isArray(value) || value.length < length.min || value.length > length.max) {
        throw refuse(path, `an array of ${size}`, value, CODE);
      }
      // Items have no default: null makes the item's reader reject a hole.
      return value.map((entry, i) => item(entry ?? null, `${path}[${i}]`));
    },
    {
      type: 'array',
      items: withoutDefault(schemaOf(item)),
      minItems: length.min,
      maxItems: length.max,
      default: fallback,
    },
  );

export const text: Reader<string> = described((value, path) => checkString(path, value, CODE), {
  type: 'string',
  minLength: 1,
});

export const nullable = <T>(fallback: T | null, reader: Reader<T>): Reader<T | null> =>
  described((value, path) => (value === undefined ? fallback : value === null ? null : reader(value, path)), {
    anyOf: [withoutDefault(schemaOf(reader)), { type: 'null' }],
    default: fallback,
  });

export const object = <S extends Shape>(shape: S): Reader<{ [K in keyof S]: Read<S[K]> }> =>
  described((value, path) => {
    const given = value === undefined ? {} : checkObject(path || 'config', value, CODE);
    checkKeys(path, given, Object.keys(shape), CODE);
    const result: Record<string, unknown> = {};
    for (const [key, reader] of Object.entries(shape))
      result[key] = reader(given[key], path ? `${path}.${key}` : key);
    return result as { [K in keyof S]: Read<S[K]> };
  }, objectSchema(shape));

function objectSchema(shape: Shape): JsonSchema {
  const needed = Object.keys(shape).filter((key) => shape[key]!.isRequired);
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(shape).map(([key, reader]) => [key, schemaOf(reader)])),
    ...(needed.length > 0 && { required: needed }),
    additionalProperties: false,
  };
}

function withoutDefault({ default: _, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

/** A value without a default: the reader rejects a missing value. */
export const required = <T>(reader: Reader<T>): Reader<T> =>
  described((value, path) => reader(value ?? null, path), withoutDefault(schemaOf(reader)), true);

type Variants<V extends Record<string, Shape>> = {
  [K in keyof V & string]: { kind: K } & { [P in keyof V[K]]: Read<V[K][P]> };
}[keyof V & string];

/** An object of one of several shapes, selected by `kind`. Each shape has its own defaults. */
export const variants = <const V extends Record<string, Shape>>(
  fallback: keyof V & string,
  shapes: V,
): Reader<Variants<V>> =>
  described(
    (value, path) => {
      const given = value === undefined ? {} : checkObject(path || 'config', value, CODE);
      const kind = oneOf(fallback, Object.keys(shapes))(given.kind, path ? `${path}.kind` : 'kind');
      checkKeysOfKind(given, kind, shapes, path);
      const read = object({ kind: literal(kind), ...shapes[kind] });
      return read(given, path) as Variants<V>;
    },
    {
      oneOf: Object.entries(shapes).map(([kind, shape]) => ({
        ...objectSchema({ kind: literal(kind), ...shape }),
        // Without a kind it is the default one.
        ...(kind !== fallback && { required: ['kind', ...requiredKeys(shape)] }),
      })),
      default: { kind: fallback },
    },
  );

const requiredKeys = (shape: Shape): string[] => Object.keys(shape).filter((key) => shape[key]!.isRequired);

/** Refuses a key that another kind has, and names that kind: the mistake is then the kind, or that it is missing. */
function checkKeysOfKind(
  given: Record<string, unknown>,
  kind: string,
  shapes: Record<string, Shape>,
  path: string,
): void {
  const known = ['kind', ...Object.keys(shapes[kind]!)];
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const others = Object.keys(shapes).filter((other) => key in shapes[other]!);
    if (others.length === 0) continue;
    const option = path ? `${path}.${key}` : key;
    const kinds = others.map((other) => `'${other}'`).join(' or ');
    throw new CellrouteError(
      CODE,
      `Unknown option ${option}: kind '${kind}'${given.kind === undefined ? ' (the default)' : ''} has ${known.join(', ')}; ${key} belongs to kind ${kinds}`,
      { option, expected: known.join(', '), got: key },
    );
  }
}
