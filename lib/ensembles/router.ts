import { join } from 'node:path';
import { refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { CellClassifier } from '../inference/classifier.js';
import { starterFolder } from '../inference/ensemble-file.js';
import { findModel } from '../inference/model-path.js';
import type { LastLayer } from '../inference/router-body.js';
import {
  type RouterStatistics,
  readStatistics,
  type TypeStatistics,
} from '../inference/router-statistics.js';
import type { CallOptions } from '../native/job.js';
import { discriminantLayer } from './discriminant.js';
import { type StoredEnsemble, storedEnsemble } from './stored.js';

/**
 * The router of a stored ensemble to which types can be added, with its statistics. The router of an ensemble of one type says
 * nothing about images; where the statistics are those of the starter's router, that one takes its place.
 *
 * @returns statistics of the ensemble's types in the order of its outputs.
 * @throws {CellrouteError} ENSEMBLE_INVALID where it has no statistics, or those of another router; the errors of loading a router.
 */
export async function extensibleRouter(
  stored: StoredEnsemble,
  options: CallOptions,
): Promise<{ router: CellClassifier; statistics: RouterStatistics }> {
  const { folder, segmenters } = stored;
  const remedy =
    'make an ensemble with statistics from images of all its types (cellroute ensemble create, createEnsemble)';
  const statistics = await readIfStored(stored);
  if (!statistics) throw noStatistics(folder, `has no statistics of its images: ${remedy}`);
  const isSingle = Object.keys(segmenters).length === 1;
  for (const path of isSingle ? [folder, starterFolder] : [folder]) {
    const router = await CellClassifier.load(path, options);
    if (statistics.router === (await router.bodyFingerprint())) {
      // The outputs of the starter's router are its own types.
      const names = path === folder ? router.config.classNames : Object.keys(segmenters);
      return { router, statistics: { ...statistics, types: inOrder(statistics.types, names) } };
    }
    await router.dispose();
  }
  throw noStatistics(folder, `has the statistics of another router: ${remedy}`);
}

/**
 * The statistics of the one type at the model path of a segmenter, as `finetune` stores them.
 *
 * @param router fingerprint of the router that they have to be of.
 * @returns undefined where the model has none of this router.
 */
export async function storedStatistics(
  segmenter: string | null,
  router: string,
): Promise<TypeStatistics | undefined> {
  const found = segmenter === null ? undefined : await findModel(segmenter);
  if (found?.kind !== 'ensemble') return undefined;
  const statistics = await readIfStored(await storedEnsemble(found.folder));
  if (statistics?.router !== router || statistics.types.size !== 1) return undefined;
  return [...statistics.types.values()][0];
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
