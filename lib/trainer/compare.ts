import { CellrouteError } from '../errors.js';

/** The inputs of a run that must not change when it is resumed. */
export interface Identity {
  config: object;
  data: { train: string; validation: string | null };
}

/** Settings that may change on resume, because they do not affect the result. */
const FREE = ['loader', 'checkpoint', 'logs', 'validation.samples', 'network.trainedOn'];

/**
 * Refuses to resume a run with different data or a different configuration.
 *
 * @throws {CellrouteError} RESUME_REFUSED, naming every difference.
 */
export function checkSame(folder: string, then: Identity, now: Identity): void {
  const trouble = [
    ...configDifferences(then.config, now.config),
    ...(then.data.train === now.data.train ? [] : [other('training', then.data.train, now.data.train)]),
    ...(then.data.validation === now.data.validation
      ? []
      : [other('validation', then.data.validation, now.data.validation)]),
  ];
  if (trouble.length === 0) return;
  throw new CellrouteError(
    'RESUME_REFUSED',
    `${folder} was started with different settings:\n${trouble.map((line) => `  - ${line}`).join('\n')}\n` +
      'Use the original settings, start a new run, or pass force: true (--force) to continue.',
    { file: folder },
  );
}

function other(which: string, then: string | null, now: string | null): string {
  const short = (print: string | null) => (print === null ? 'none' : `fingerprint ${print.slice(0, 12)}`);
  return `the ${which} images have changed (${short(then)}, now ${short(now)})`;
}

/** Every value that differs, with its path, except those that may change. */
export function configDifferences(then: object, now: object): string[] {
  const before = leaves(then);
  const after = leaves(now);
  const paths = [...new Set([...before.keys(), ...after.keys()])];
  const show = (value: string | undefined) => value ?? 'not set';
  return paths
    .filter((path) => before.get(path) !== after.get(path))
    .filter((path) => !FREE.some((free) => path === free || path.startsWith(`${free}.`)))
    .map((path) => `${path} was ${show(before.get(path))}, now ${show(after.get(path))}`);
}

function leaves(value: unknown, path = '', found = new Map<string, string>()): Map<string, string> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) return found.set(path, JSON.stringify(value));
  for (const [key, inner] of Object.entries(value)) leaves(inner, path ? `${path}.${key}` : key, found);
  return found;
}
