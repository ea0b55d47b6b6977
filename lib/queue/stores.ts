import { refuse } from '../check.js';
import { FileObjects, type ObjectStore } from './objects.js';
import { S3Objects } from './s3.js';
import { isS3Url, type S3Options } from './s3-client.js';

/**
 * The store that an option names: a folder, a bucket, or a store of the caller's.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT; PACKAGE_MISSING for a bucket.
 */
export function checkObjectStore(option: string, store: unknown, s3: S3Options = {}): ObjectStore {
  if (typeof store === 'string' && store !== '') {
    return isS3Url(store) ? new S3Objects(store, s3) : new FileObjects(store);
  }
  const methods = ['has', 'get', 'put', 'delete'] as const;
  if (typeof store === 'object' && store !== null) {
    const given = store as Partial<ObjectStore>;
    if (methods.every((name) => typeof given[name] === 'function')) return store as ObjectStore;
  }
  throw refuse(
    option,
    `a folder, a URL such as s3://bucket/prefix, or a store with ${methods.join(', ')}`,
    store,
  );
}
