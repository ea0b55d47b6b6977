import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '../..');

const ownFolder = join(root, 'test/golden');
/** Folder of the goldens: CELLROUTE_GOLDEN, or that in the checkout. */
export const goldenFolder = resolve(process.env.CELLROUTE_GOLDEN ?? ownFolder);
/** Folder of the goldens' images: CELLROUTE_DATA, or that in the checkout. */
export const dataFolder = resolve(process.env.CELLROUTE_DATA ?? join(root, 'test/data'));

const isGiven = (name: string) => existsSync(join(goldenFolder, name));
/** Path of a golden in the folder, or in the checkout if the folder does not have it. */
export const goldenPath = (name: string) => join(isGiven(name) ? goldenFolder : ownFolder, name);
export const dataPath = (name: string) => join(dataFolder, name);
export const hasGolden = (name: string) => existsSync(goldenPath(name));
export const hasImage = (name: string) => existsSync(dataPath(name));

export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(goldenPath(name), 'utf8')) as T;
}

/** `describe` if all named goldens and images exist, otherwise a skipped test that names the missing ones. */
export function describeGolden(
  title: string,
  needs: { goldens?: string[]; images?: string[] },
  body: () => void,
): void {
  // All goldens of a test must come from one folder, because weights and answers belong together.
  const goldens = needs.goldens ?? [];
  const lacks = goldens.some(isGiven) ? (name: string) => !isGiven(name) : (name: string) => !hasGolden(name);
  const missing = [...goldens.filter(lacks), ...(needs.images ?? []).filter((name) => !hasImage(name))];
  if (missing.length === 0) {
    describe(title, body);
    return;
  }
  // Not describe.skip, which would run the body, which may read missing files.
  test.skip(`${title} (missing: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''})`, () => {});
}

/** Allowed difference from the reference, as a multiple of the reference's own spread. */
const SPREADS = 8;

/**
 * Allowed difference from a golden: a multiple of the golden's spread, at least `least`. The spread is the largest
 * difference of the reference with and without oneDNN and with one and two threads, as stored by test/golden/make;
 * for goldens of older scripts, which have none, `least` applies.
 */
export const toleranceOf = (spread: number | undefined, least: number): number =>
  Math.max(least, SPREADS * (spread ?? 0));

/** {@link toleranceOf} of a tensor whose golden file has the spread of each in its metadata. */
export const toleranceOfTensor = (metadata: Record<string, string>, name: string, least: number): number =>
  toleranceOf((JSON.parse(metadata.spread ?? '{}') as Record<string, number>)[name], least);

export interface GoldenTensor {
  dtype: string;
  shape: number[];
  data: Float32Array | BigInt64Array | Int32Array | Uint8Array;
}

/** A simple safetensors reader for tests, independent of the library's. */
export function goldenTensors(name: string): {
  tensors: Record<string, GoldenTensor>;
  metadata: Record<string, string>;
} {
  const bytes = readFileSync(goldenPath(name));
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString('utf8')) as Record<string, unknown>;
  const metadata = (header.__metadata__ ?? {}) as Record<string, string>;
  delete header.__metadata__;
  const tensors: Record<string, GoldenTensor> = {};
  for (const [key, value] of Object.entries(header)) {
    const { dtype, shape, data_offsets } = value as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    const [begin, end] = data_offsets.map((offset) => offset + 8 + headerLength) as [number, number];
    const copy = new Uint8Array(bytes.subarray(begin, end)).buffer;
    const data =
      dtype === 'F32'
        ? new Float32Array(copy)
        : dtype === 'I64'
          ? new BigInt64Array(copy)
          : dtype === 'I32'
            ? new Int32Array(copy)
            : new Uint8Array(copy);
    tensors[key] = { dtype, shape, data };
  }
  return { tensors, metadata };
}
