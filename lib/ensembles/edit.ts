import type { SignalOptions } from '../abort.js';
import { checkOptions, checkString, refuse } from '../check.js';
import { READ_KEYS, readOptionsIn } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';
import { CellClassifier } from '../inference/classifier.js';
import { starterFolder } from '../inference/ensemble-file.js';
import type { TypeStatistics } from '../inference/router-statistics.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { embedderOf, type TypeImages, typeStatistics } from './embedding.js';
import {
  checkNewType,
  checkOwnType,
  extensibleRouter,
  inOrder,
  readIfStored,
  routerOf,
  storedStatistics,
  withoutClass,
} from './router.js';
import { checkOut, segmenterPart, storedEnsemble, type WriteOptions, writeChanged } from './stored.js';

/** Keys of {@link WriteOptions} and of an abort. */
const WRITE_KEYS = ['out', 'force', 'signal'] as const;

/** Options of {@link addToEnsemble}. */
export interface AddTypeOptions extends WriteOptions, ImageReadOptions, SignalOptions {
  /** Name of the new type. */
  type: string;
  /**
   * Images of the type, for the router; five are few, and enough where they differ from the other types. Default: what
   * `finetune` stored of its training images with the segmenter, where the router has the starter's network.
   */
  images?: TypeImages | undefined;
  /** Model path of its segmenter: see `findModel` of cellroute. null for a type without one. */
  segmenter: string | null;
  /** Thresholds of the type. Default: those of the segmenter's run or ensemble. */
  thresholds?: SegmentThresholds | undefined;
}

/**
 * Adds a cell type to an ensemble, **without images of the types that it has**: the router keeps its network, and its last layer
 * is made again from the statistics of all types. Statistics of the new type are stored, so that others can follow.
 *
 * ```ts
 * await addToEnsemble(undefined, {
 *   type: 'neurons',
 *   images: ['a.png', 'b.png', 'c.png', 'd.png', 'e.png'],
 *   segmenter: 'my-model',
 *   out: 'my-ensemble',
 * });
 * ```
 *
 * @param ensemble model path of the ensemble. Default: the starter ensemble, which needs `out`.
 * @throws {CellrouteError} INVALID_ARGUMENT, also for a type that the ensemble has; ENSEMBLE_INVALID for an ensemble without
 *   statistics; FILE_UNWRITABLE, RUN_LOCKED, and the errors of loading networks and images.
 */
export async function addToEnsemble(ensemble: string | undefined, options: AddTypeOptions): Promise<void> {
  checkOptions(options, ['type', 'images', 'segmenter', 'thresholds', ...READ_KEYS, ...WRITE_KEYS]);
  const { segmenter, thresholds, signal } = options;
  const stored = await storedEnsemble(ensemble ?? starterFolder);
  const type = checkString('type', options.type);
  checkNewType('type', type, stored);
  checkOut(stored.folder, options.out);
  const { router: extended, statistics } = await extensibleRouter(stored, { signal });
  await using router = extended;
  const part = await segmenterPart('segmenter', segmenter, thresholds, signal);
  const added = await statisticsOfNew(router, statistics.router, options);
  const types = new Map([...statistics.types, [type, added]]);
  await writeChanged(stored, options, async (kept) => ({
    classifier: routerOf(router, types),
    segmenters: Object.fromEntries([
      ...Object.keys(stored.segmenters).map((name) => [name, kept(name)] as const),
      [type, part],
    ]),
    fallback: stored.fallback,
    statistics: { router: statistics.router, types },
  }));
}

/** The statistics of a new type: of its images, or else those that are stored with its segmenter. */
async function statisticsOfNew(
  router: CellClassifier,
  fingerprint: string,
  options: AddTypeOptions,
): Promise<TypeStatistics> {
  const { images, segmenter, signal } = options;
  if (images !== undefined) {
    await using embedder = await embedderOf(router, { signal });
    return await typeStatistics(embedder, images, 'images', { ...readOptionsIn(options), signal });
  }
  const found = await storedStatistics(segmenter, fingerprint);
  if (found) return found;
  throw refuse('images', 'images of the type, as its segmenter has no statistics for this router', undefined);
}

/** Options of {@link removeFromEnsemble}. */
export interface RemoveTypeOptions extends WriteOptions, SignalOptions {
  /** Type that is removed. Where it is the fallback, the ensemble has none afterwards. */
  type: string;
}

/**
 * Removes a cell type from an ensemble: its segmenter, its thresholds, its output of the router and its statistics. The router's
 * outputs for the other types do not change. Images of the removed type are assigned to one of the others.
 *
 * @param ensemble model path of the ensemble. Default: the starter ensemble, which needs `out`.
 * @throws {CellrouteError} INVALID_ARGUMENT for a type that the ensemble does not have, and for its only one; FILE_UNWRITABLE,
 *   RUN_LOCKED, and the errors of loading the router.
 */
export async function removeFromEnsemble(
  ensemble: string | undefined,
  options: RemoveTypeOptions,
): Promise<void> {
  checkOptions(options, ['type', ...WRITE_KEYS]);
  const { type, signal } = options;
  const stored = await storedEnsemble(ensemble ?? starterFolder);
  checkOwnType('type', checkString('type', type), stored);
  checkOut(stored.folder, options.out);
  await using router = await CellClassifier.load(stored.folder, { signal });
  const { classNames } = router.config;
  if (classNames.length === 1) throw refuse('type', 'one of several types', type);
  const statistics = await readIfStored(stored);
  const layer = withoutClass(await router.lastLayer(), classNames.indexOf(type));
  const others = classNames.filter((name) => name !== type);
  await writeChanged(stored, options, async (kept) => ({
    classifier: (path) => router.saveAs(path, others, layer),
    segmenters: Object.fromEntries(others.map((name) => [name, kept(name)])),
    fallback: stored.fallback === type ? undefined : stored.fallback,
    statistics: statistics && { ...statistics, types: inOrder(statistics.types, others) },
  }));
}

/** Options of {@link renameInEnsemble}. */
export interface RenameTypeOptions extends WriteOptions, SignalOptions {
  /** Name of the type. */
  from: string;
  /** New name, which the ensemble does not have. */
  to: string;
}

/**
 * Renames a cell type of an ensemble. Nothing else changes: the router and the segmenters have the same weights.
 *
 * @param ensemble model path of the ensemble. Default: the starter ensemble, which needs `out`.
 * @throws {CellrouteError} INVALID_ARGUMENT for names; FILE_UNWRITABLE, RUN_LOCKED, and the errors of loading the router.
 */
export async function renameInEnsemble(
  ensemble: string | undefined,
  options: RenameTypeOptions,
): Promise<void> {
  checkOptions(options, ['from', 'to', ...WRITE_KEYS]);
  const { signal } = options;
  const stored = await storedEnsemble(ensemble ?? starterFolder);
  const [from, to] = [checkString('from', options.from), checkString('to', options.to)];
  checkOwnType('from', from, stored);
  checkNewType('to', to, stored);
  checkOut(stored.folder, options.out);
  await using router = await CellClassifier.load(stored.folder, { signal });
  const statistics = await readIfStored(stored);
  const renamed = (name: string) => (name === from ? to : name);
  await writeChanged(stored, options, async (kept) => ({
    classifier: (path) => router.saveAs(path, router.config.classNames.map(renamed)),
    segmenters: Object.fromEntries(
      Object.keys(stored.segmenters).map((name) => [renamed(name), kept(name, renamed(name))]),
    ),
    fallback: stored.fallback === undefined ? undefined : renamed(stored.fallback),
    statistics: statistics && {
      ...statistics,
      types: new Map([...statistics.types].map(([name, own]) => [renamed(name), own])),
    },
  }));
}
