import type { SignalOptions } from '../abort.js';
import { checkBoolean, checkKeys, checkObject, checkOptions, checkString, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { withFolderLock } from '../folder-lock.js';
import { READ_KEYS, readOptionsIn } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';
import { CellClassifier } from '../inference/classifier.js';
import { starterFolder } from '../inference/ensemble-file.js';
import type { TypeStatistics } from '../inference/router-statistics.js';
import { singleTypeRouter } from '../inference/single-type.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { type EnsembleParts, writeEnsemble } from '../inference/write-ensemble.js';
import { ON_CPU } from '../native/job.js';
import { Outputs } from '../outputs.js';
import { embedderOf, type TypeImages, typeStatistics } from './embedding.js';
import { routerOf, storedStatistics } from './router.js';
import { checkOut, segmenterPart } from './stored.js';

/** A cell type of an ensemble that is made. */
export interface NewType {
  /** Model path of its segmenter: see `findModel` of cellroute. null for a type without one. */
  segmenter: string | null;
  /** Images of the type, for the router. Default: what `finetune` stored of its training images with the segmenter. */
  images?: TypeImages | undefined;
  /** Thresholds of the type. Default: those of the segmenter's run or ensemble. */
  thresholds?: SegmentThresholds | undefined;
}

/** Options of {@link createEnsemble}. */
export interface CreateEnsembleOptions extends ImageReadOptions, SignalOptions {
  /** The types by name, in the order of the router's outputs. */
  types: Readonly<Record<string, NewType>>;
  /**
   * Model path of a classifier. Where the types have images, its network is used and its last layer is made from them; default:
   * the starter's router. Where they have none, it is the router, and its classes are the types.
   */
  router?: string | undefined;
  /** Type whose segmenter is used for types without one. */
  fallback?: string | undefined;
  /** Overwrites files that cellroute did not write, or that were changed since. Default false. */
  force?: boolean | undefined;
}

/**
 * Makes an ensemble of segmenters and images of each type, without a training: the router has the network of another router, and
 * its last layer is made from the images. An ensemble of one type needs no images.
 *
 * ```ts
 * await createEnsemble('my-ensemble', {
 *   types: {
 *     neurons: { segmenter: 'runs/neurons', images: ['a.png', 'b.png', 'c.png'] },
 *     astrocytes: { segmenter: 'astrocytes.safetensors', images: ['d.png', 'e.png', 'f.png'] },
 *   },
 * });
 * ```
 *
 * @param folder is created if missing; an ensemble that it contains is replaced.
 * @throws {CellrouteError} INVALID_ARGUMENT; ENSEMBLE_INVALID for a router of other classes; FILE_UNWRITABLE, RUN_LOCKED, and the
 *   errors of loading networks and images.
 */
export async function createEnsemble(folder: string, options: CreateEnsembleOptions): Promise<void> {
  checkString('folder', folder);
  checkOptions(options, ['types', 'router', 'fallback', 'force', 'signal', ...READ_KEYS]);
  const { types, fallback, force, signal } = options;
  if (force !== undefined) checkBoolean('force', force);
  checkOut(folder, folder);
  const names = Object.keys(checkObject('types', types));
  if (names.length === 0) throw refuse('types', 'at least one type', types);
  const segmenters: Record<string, EnsembleParts['segmenters'][string]> = Object.create(null);
  for (const name of names) {
    const path = `types.${name}`;
    checkKeys(path, checkObject(path, types[name]), ['segmenter', 'images', 'thresholds']);
    const { segmenter, thresholds } = types[name]!;
    segmenters[name] = await segmenterPart(`${path}.segmenter`, segmenter, thresholds, signal);
  }
  const serving = names.filter((name) => segmenters[name]);
  if (serving.length === 0) throw refuse('types', 'a segmenter for at least one type', 'none');
  if (fallback !== undefined && !serving.includes(fallback)) {
    throw refuse('fallback', `one of ${serving.join(', ')}`, fallback);
  }
  const outputs = new Outputs({ force });
  await withFolderLock(folder, async () => {
    const made = await routerFor(names, options);
    const parts = { classifier: made.write, segmenters, fallback, statistics: made.statistics };
    await writeEnsemble(folder, parts, outputs, signal).finally(() => made.router.dispose());
  });
}

async function routerFor(
  names: readonly string[],
  options: CreateEnsembleOptions,
): Promise<{
  router: CellClassifier;
  write: EnsembleParts['classifier'];
  statistics: EnsembleParts['statistics'];
}> {
  const { types, router: path, signal } = options;
  const [first, ...others] = names;
  const given = names.filter((name) => types[name]!.images !== undefined);
  if (given.length === 0 && others.length === 0 && path === undefined) {
    const statistics = await storedByFinetune(first!, types[first!]!.segmenter, signal);
    const router = await singleTypeRouter(first!, { signal }, ON_CPU);
    return { router, write: (to) => router.save(to), statistics };
  }
  const router = await CellClassifier.load(path ?? starterFolder, { signal });
  try {
    if (given.length === 0 && path !== undefined) {
      checkClasses(router, names);
      return { router, write: (to) => router.save(to), statistics: undefined };
    }
    const fingerprint = await router.bodyFingerprint();
    const kept = new Map<string, TypeStatistics>();
    for (const name of names.filter((one) => !given.includes(one))) {
      const found = await storedStatistics(types[name]!.segmenter, fingerprint);
      if (!found) throw noImages(name, given.length > 0);
      kept.set(name, found);
    }
    await using embedder = await embedderOf(router, { signal });
    const read = { ...readOptionsIn(options), signal };
    const all = new Map<string, TypeStatistics>();
    for (const name of names) {
      const of = async () => typeStatistics(embedder, types[name]!.images!, `types.${name}.images`, read);
      all.set(name, kept.get(name) ?? (await of()));
    }
    const statistics = { router: fingerprint, types: all };
    return { router, write: routerOf(router, all), statistics };
  } catch (error) {
    await router.dispose();
    throw error;
  }
}

/** What `finetune` stored of the images of the one type, of the starter's router: with it, other types can be added. */
async function storedByFinetune(
  name: string,
  segmenter: string | null,
  signal: AbortSignal | undefined,
): Promise<EnsembleParts['statistics']> {
  await using router = await CellClassifier.load(starterFolder, { signal });
  const fingerprint = await router.bodyFingerprint();
  const found = await storedStatistics(segmenter, fingerprint);
  return found && { router: fingerprint, types: new Map([[name, found]]) };
}

/** The error for a type without images whose segmenter has no statistics either. */
const noImages = (name: string, others: boolean): CellrouteError =>
  refuse(
    `types.${name}.images`,
    others ? 'images, as the other types have them' : 'images of each type, or a router of these types',
    undefined,
  );

/** Refuses a router whose classes are not the types. */
function checkClasses({ config: { classNames } }: CellClassifier, names: readonly string[]): void {
  if ([...classNames].sort().join('\0') === [...names].sort().join('\0')) return;
  const [expected, got] = [names, classNames].map((all) => all.join(', ')) as [string, string];
  throw new CellrouteError(
    'ENSEMBLE_INVALID',
    `Expected a router of the types ${expected} but it has the classes ${got}: pass images of each type to make its last layer for them`,
    { option: 'router', expected, got },
  );
}
