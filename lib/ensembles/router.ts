import { join } from 'node:path';
import { refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import type { CellClassifier } from '../inference/classifier.js';
import type { LastLayer } from '../inference/router-body.js';
import {
  type RouterStatistics,
  readStatistics,
  type TypeStatistics,
} from '../inference/router-statistics.js';
import { discriminantLayer } from './discriminant.js';
import type { StoredEnsemble } from './stored.js';

/**
 * The statistics of a stored ensemble, which belong to its router.
 *
 * @throws {CellrouteError} ENSEMBLE_INVALID where it has none, or those of another router.
 */
export async function statisticsOf(
  stored: StoredEnsemble,
  router: CellClassifier,
): Promise<RouterStatistics> {
  const { folder } = stored;
  const remedy =
    'make an ensemble with statistics from images of all its types (cellroute ensemble create, createEnsemble)';
  const found = await readIfStored(stored);
  if (!found) throw noStatistics(folder, `has no statistics of its images: ${remedy}`);
  if (found.router === (await router.bodyFingerprint())) return found;
  throw noStatistics(folder, `has the statistics of another router: ${remedy}`);
}

/** The statistics that a stored ensemble names, if it does. */
export const readIfStored = async ({ folder, statistics }: StoredEnsemble) =>
  statistics === undefined ? undefined : readStatistics(join(folder, statistics));

/** Statistics in the order of a router's outputs. */
export const inOrder = (
  types: ReadonlyMap<string, TypeStatistics>,
  names: readonly string[],
): Map<string, TypeStatistics> => new Map(names.map((name) => [name, types.get(name)!]));

const noStatistics = (folder: string, what: string) =>
  new CellrouteError('ENSEMBLE_INVALID', `The ensemble in ${folder} ${what}`, {
    file: folder,
    expected: 'statistics of its router',
  });

/** A function that writes the router with a last layer made of statistics. */
export function routerOf(router: CellClassifier, types: ReadonlyMap<string, TypeStatistics>) {
  const layer = discriminantLayer([...types.values()]);
  return (path: string): Promise<void> => router.saveAs(path, [...types.keys()], layer);
}

/** The last layer without one class. */
export function withoutClass({ weight, bias, size }: LastLayer, index: number): LastLayer {
  const without = (values: Float32Array, width: number) =>
    Float32Array.from([...values.subarray(0, index * width), ...values.subarray((index + 1) * width)]);
  return { weight: without(weight, size), bias: bias && without(bias, 1), size };
}

/** Refuses a name that the ensemble already has. */
export function checkNewType(option: string, name: string, { segmenters }: StoredEnsemble): void {
  if (!Object.hasOwn(segmenters, name)) return;
  throw refuse(
    option,
    `a type that the ensemble does not have (${Object.keys(segmenters).join(', ')})`,
    name,
  );
}

/** Refuses a name that the ensemble does not have. */
export function checkOwnType(option: string, name: string, { segmenters }: StoredEnsemble): void {
  if (Object.hasOwn(segmenters, name)) return;
  throw refuse(option, `one of ${Object.keys(segmenters).join(', ')}`, name);
}
