import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { packageVersion } from '../package-version.js';
import type { StoredTask } from './types.js';

/**
 * The key of a result, made from everything that its files depend on. Results with equal keys are equal and computed once.
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
 * Name of the JSON file that lists the files of a result. It is written last, so a result with this file is complete. It has
 * no extension, so that it differs from all files of images.
 */
export const RECORD_FILE = 'record';
