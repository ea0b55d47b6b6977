import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runtimeLibraries } from '../../lib/native/libraries.js';

/** Folder of the built addons: CELLROUTE_BUILD, or the checkout's. */
const build = resolve(process.env.CELLROUTE_BUILD ?? join(__dirname, '../../build'));

export interface Tensor {
  data: Float32Array | Float64Array | BigInt64Array | Uint8Array;
  shape: number[];
}

/** The addon that exposes operators and stages. Its functions are typed where they are used. */
// biome-ignore lint/suspicious/noExplicitAny: each test file narrows what it calls.
export function testing(): any {
  const preload = require(join(build, 'preload/cellroute_preload.node')) as {
    open(path: string): bigint | undefined;
  };
  const { folder } = JSON.parse(readFileSync(join(build, 'libtorch.json'), 'utf8')) as { folder: string };
  for (const library of runtimeLibraries()) preload.open(join(folder, 'lib', library));
  const addon = join(build, 'testing/cellroute_testing.node');
  if (!existsSync(addon)) throw new Error(`${addon} is not built: run npm run build -- --tests`);
  return require(addon);
}
