type OptionalKeys<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];

/** Options with a value for every key. */
export type Complete<T> = { [K in keyof T]-?: Exclude<T[K], undefined> };

/** An object without the keys whose value is undefined. */
export type Defined<T> = Omit<T, OptionalKeys<T>> & { [K in OptionalKeys<T>]?: Exclude<T[K], undefined> };

/** Omits keys whose value is undefined, for results and files, in which the presence of a key has a meaning. */
export function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
