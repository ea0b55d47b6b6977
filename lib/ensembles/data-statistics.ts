import type { DatasetItem } from '../data/types.js';
import type { CellClassifier } from '../inference/classifier.js';
import type { RouterStatistics, TypeStatistics } from '../inference/router-statistics.js';
import type { CallOptions } from '../native/job.js';
import { embedderOf, typeStatistics } from './embedding.js';

/** Images per type at most: more of them change a mean and a covariance little. */
const MAX_IMAGES = 100;

/**
 * The statistics of a data set's images by type, for adding further types to a router without them.
 *
 * @param types at least one image per type; {@link MAX_IMAGES} of them are read, evenly over the data set.
 * @throws {CellrouteError} the errors of loading and classifying images.
 */
export async function dataStatistics(
  router: CellClassifier,
  types: ReadonlyMap<string, readonly DatasetItem[]>,
  options: CallOptions,
): Promise<RouterStatistics> {
  await using embedder = await embedderOf(router, options);
  const all = new Map<string, TypeStatistics>();
  for (const [type, items] of types) {
    all.set(type, await typeStatistics(embedder, imagesOf(items, options), type, options));
  }
  return { router: await router.bodyFingerprint(), types: all };
}

async function* imagesOf(items: readonly DatasetItem[], { signal }: CallOptions) {
  const count = Math.min(items.length, MAX_IMAGES);
  for (let i = 0; i < count; i++) {
    yield (await items[Math.floor((i * items.length) / count)]!.load({ signal })).image;
  }
}
