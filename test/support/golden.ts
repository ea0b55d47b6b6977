import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '../..');

const ownFolder = join(root, 'test/golden');
/** Folder of the goldens: CELLROUTE_GOLDEN, or those in the checkout. */
export const goldenFolder = resolve(process.env.CELLROUTE_GOLDEN ?? ownFolder);
/** Folder the goldens' images are named relative to: CELLROUTE_DATA, or the few in the checkout. */
export const dataFolder = resolve(process.env.CELLROUTE_DATA ?? join(root, 'test/data'));

const isGiven = (name: string) => existsSync(join(goldenFolder, name));
/** A golden of the folder, or the checkout's where the folder has none of that name. */
export const goldenPath = (name: string) => join(isGiven(name) ? goldenFolder : ownFolder, name);
export const dataPath = (name: string) => join(dataFolder, name);
export const hasGolden = (name: string) => existsSync(goldenPath(name));
export const hasImage = (name: string) => existsSync(dataPath(name));

export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(goldenPath(name), 'utf8')) as T;
}

/** `describe` where every named golden and image is there; a visible skip that says what is missing otherwise. */
export function describeGolden(
  title: string,
  needs: { goldens?: string[]; images?: string[] },
  body: () => void,
): void {
  // Goldens of one test come from one folder: another folder's weights have other answers than the checkout's.
  const goldens = needs.goldens ?? [];
  const lacks = goldens.some(isGiven) ? (name: string) => !isGiven(name) : (name: string) => !hasGolden(name);
  const missing = [...goldens.filter(lacks), ...(needs.images ?? []).filter((name) => !hasImage(name))];
  if (missing.length === 0) {
    describe(title, body);
    return;
  }
  // Not describe.skip: it would run the body, which may read what is missing.
  test.skip(`${title} (missing: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''})`, () => {});
}

/** How many times as far from the reference as the reference is from itself an answer may be. */
const SPREADS = 8;

/**
 * How far an answer may be from a golden: a multiple of the golden's spread, and no less than `least`. The spread is how
 * far the reference is from itself with and without oneDNN, with one and two threads, as test/golden/make stores it;
 * goldens of older scripts have none, and `least` applies to them.
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

/** A plain safetensors reader for tests, written apart from the library's so that one checks the other. */
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
