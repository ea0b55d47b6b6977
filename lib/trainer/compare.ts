import { CellrouteError } from '../errors.js';

/** What a run is made of, as far as it must be the same when it goes on. */
export interface Identity {
  config: object;
  data: { train: string; validation: string | null };
}

/** What may differ: it decides how a run is done and told, not what comes out of it. */
const FREE = ['loader', 'checkpoint', 'logs', 'validation.samples'];

/**
 * Refuses to go on with other data or another configuration than a run was made with.
 *
 * @throws {CellrouteError} RESUME_REFUSED, naming everything that differs
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
    `${folder} was begun otherwise:\n${trouble.map((line) => `  - ${line}`).join('\n')}\n` +
      'Go on with what it was begun with, begin another run, or say force to go on all the same.',
    { file: folder },
  );
}

function other(which: string, then: string | null, now: string | null): string {
  const short = (print: string | null) => (print === null ? 'none' : `fingerprint ${print.slice(0, 12)}`);
  return `the ${which} images were others (${short(then)}, now ${short(now)})`;
}

/** Every value that differs, by its path, but for those that are free. */
export function configDifferences(then: object, now: object): string[] {
  const before = leaves(then);
  const after = leaves(now);
  const paths = [...new Set([...before.keys(), ...after.keys()])];
  const show = (value: string | undefined) => value ?? 'not there';
  return paths
    .filter((path) => before.get(path) !== after.get(path))
    .filter((path) => !FREE.some((free) => path === free || path.startsWith(`${free}.`)))
    .map((path) => `${path} was ${show(before.get(path))} and is ${show(after.get(path))}`);
}

function leaves(value: unknown, path = '', found = new Map<string, string>()): Map<string, string> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) return found.set(path, JSON.stringify(value));
  for (const [key, inner] of Object.entries(value)) leaves(inner, path ? `${path}.${key}` : key, found);
  return found;
}
