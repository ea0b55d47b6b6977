import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { packageVersion } from '../package-version.js';
import type { StoredTask } from './types.js';

/**
 * What the files of a result follow from, as one key: results with one key are equal, and are computed once.
 *
 * @param image SHA-256 of an image's bytes, or the id of a slide's plan.
 * @param model fingerprint of the model.
 * @returns SHA-256 as 64 hexadecimal digits.
 */
export function resultKey(
  image: string,
  model: string,
  { image: _, ...task }: StoredTask,
  version = packageVersion(),
): string {
  return createHash('sha256').update(canonicalJson({ image, model, task, version })).digest('hex');
}

/** Key of a file of a result in the store: `3f/3f2a…/nuclei.json`. The first folder keeps each one small. */
export const resultFile = (key: string, file: string): string => `${key.slice(0, 2)}/${key}/${file}`;

/**
 * The file that says what the others of a result are, as JSON. It is written last: a result that has it is complete. Without
 * an extension, it is no file of an image.
 */
export const RECORD_FILE = 'record';
