import type { ObjectStore } from '../../lib/queue/objects.js';
import { refusal } from './refusal.js';

/** Expects each method of a store to refuse a key with INVALID_ARGUMENT. */
export async function expectKeyRefused(store: ObjectStore, key: string): Promise<void> {
  const calls = [
    () => store.get(key),
    () => store.put(key, []),
    () => store.has(key),
    () => store.delete(key),
  ];
  for (const call of calls) expect((await refusal(call())).code).toBe('INVALID_ARGUMENT');
}
