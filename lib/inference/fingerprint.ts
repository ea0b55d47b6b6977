// Fingerprints of networks: two networks with the same fingerprint give the same results.
import { createHash } from 'node:crypto';
import type { Call } from '../native/job.js';
import { call, native } from '../native/load.js';
import type { LoadedModel } from './model.js';

/** Fingerprints of each network by the parts that its results depend on besides its weights. Weights do not change. */
const known = new WeakMap<LoadedModel, Map<string, string>>();

/**
 * SHA-256 of the weights of a network, as 64 hexadecimal digits. They are read once per network.
 *
 * @param parts what results depend on besides the weights: precision, configuration.
 */
export async function fingerprintOf(
  own: Call,
  model: LoadedModel,
  ...parts: readonly string[]
): Promise<string> {
  const ofModel = known.get(model) ?? new Map<string, string>();
  known.set(model, ofModel);
  const key = JSON.stringify(parts);
  const before = ofModel.get(key);
  if (before !== undefined) return before;
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  for (const { name, dtype, shape } of call(() => native().listTensors(model.handle))) {
    hash.update(JSON.stringify([name, dtype, shape]));
    hash.update(
      await model.runIn(own, (handle, job) => native().readTensor(handle, name, job), { progress: false }),
    );
  }
  const fingerprint = hash.digest('hex');
  ofModel.set(key, fingerprint);
  return fingerprint;
}
