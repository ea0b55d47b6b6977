import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(__dirname, '../..');
/** A small ensemble for tests: a router with three types, one of which has a segmenter, that of the goldens. */
export const testEnsemble = join(root, 'test/ensemble');

/** Limits of proposals for tests of small images and tiles, whose time is mostly that of the network's own 1000. */
export const fewProposals = { preNmsTopN: 300, postNmsTopN: 300 };

/** Copies the test ensemble into a new folder, with {@link fewProposals} in its thresholds. */
export function copyTestEnsemble(folder: string): string {
  mkdirSync(folder);
  for (const name of ['classifier', 'fluorescence'].map((one) => `${one}.safetensors`)) {
    copyFileSync(join(testEnsemble, name), join(folder, name));
  }
  const description = JSON.parse(readFileSync(join(testEnsemble, 'ensemble.json'), 'utf8'));
  description.segmenters.fluorescence.thresholds.rpn = fewProposals;
  writeFileSync(join(folder, 'ensemble.json'), JSON.stringify(description));
  return folder;
}

const nuclei = join(root, 'test/data/nuclei/images');
/** Small fluorescence images in the checkout. */
export const image = {
  /** 256 x 256, about 30 nuclei. */
  small: join(nuclei, '00071198d059ba7f5914a526d124d28e6d010c92466da21d4a04cd5413362552.png'),
  /** 360 x 360. */
  medium: join(nuclei, '3a22fe593d9606d4f137461dd6802fd3918f9fbf36f4a65292be69670365e2ca.png'),
  /** 696 x 520. */
  large: join(nuclei, '8c3ef7aa7ed29b62a65b1c394d2b4a24aa3da25aebfdf3d29dbfc8ad1b08e95a.png'),
};
export const imageBytes = (name: keyof typeof image) => readFileSync(image[name]);

/** Reason of a rejected promise. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<{ code?: string; message: string; details?: Record<string, unknown> }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('The promise should have been rejected');
}

/** Error that a function throws. */
export function thrown(action: () => unknown): {
  code?: string;
  message: string;
  details?: Record<string, unknown>;
} {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('The function should have thrown');
}
