/** A module and what is imported from it; without names, the module itself, as `import numpy as np`. */
type Import = readonly [module: string, ...names: string[]];

/** A piece of a Python script, and the imports that it needs. */
export interface ScriptPart {
  readonly imports: readonly Import[];
  readonly text: string;
}

/** Modules of Python itself, which are imported before the others. */
const STANDARD_LIBRARY = new Set(['argparse', 'pathlib', 'warnings']);

/** A script of a docstring, the imports of all parts, constants and functions. */
export function scriptOf(docstring: string, constants: ScriptPart, parts: readonly ScriptPart[]): string {
  return [
    `"""${docstring}"""\n\n${importsOf([constants, ...parts])}\n\n${constants.text.trim()}`,
    ...parts.map(({ text }) => text.trim()),
    'if __name__ == "__main__":\n    main()\n',
  ].join('\n\n\n');
}

function importsOf(parts: readonly ScriptPart[]): string {
  const whole = new Set<string>();
  const names = new Map<string, Set<string>>();
  for (const [module, ...some] of parts.flatMap(({ imports }) => imports)) {
    if (some.length === 0) whole.add(module);
    else names.set(module, new Set([...(names.get(module) ?? []), ...some]));
  }
  const section = (isStandard: boolean) => {
    const own = (modules: Iterable<string>) =>
      [...modules].filter((module) => STANDARD_LIBRARY.has(module) === isStandard).sort();
    return [
      ...own(whole).map((module) => `import ${module}`),
      ...own(names.keys()).map(
        (module) => `from ${module} import ${[...names.get(module)!].sort().join(', ')}`,
      ),
    ].join('\n');
  };
  return `${section(true)}\n\n${section(false)}`;
}

/** A value as Python writes it: a list or tuple of numbers, a text, None. */
export function literal(value: number | string | null | readonly (number | string)[]): string {
  if (value === null) return 'None';
  if (typeof value === 'object') return `[${value.map(literal).join(', ')}]`;
  // JSON's strings are Python's, apart from the rules for surrogates, which JSON.stringify escapes.
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** A tuple of values that are Python already. */
export const tuple = (items: readonly string[]): string =>
  items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;

/** A text inside a docstring or a comment: without what could end it. */
export const plain = (text: string): string => text.replace(/[\\"\p{Cc}\p{Cs}\u2028\u2029]/gu, '_');
