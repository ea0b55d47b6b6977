// What the checks of job queues share.
import { join } from 'node:path';
import { root } from '../run.mjs';

/** The command line. */
export const MAIN = join(root, 'dist', 'cli', 'main.js');
export const MODEL = join(root, 'test', 'ensemble');
export const OPTIONS = { cellType: 'fluorescence' };

/** @throws where two values differ as JSON. */
export const equal = (what, got, expected) => {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a === b) return;
  const short = (text) => (text.length > 500 ? `${text.slice(0, 500)}…` : text);
  throw new Error(`${what}: ${short(a)} instead of ${short(b)}`);
};

/** The result of a slide by one call of the SDK, as JSON has it. */
export async function oneProcess(path, options) {
  const { RoutedEnsemble, openSlide, resultJson } = await import('../../dist/index.mjs');
  const ensemble = await RoutedEnsemble.load(MODEL);
  const slide = await openSlide(path);
  const result = await ensemble.segment(slide, { ...options, name: 'slide.tif' });
  await slide.close();
  await ensemble.dispose();
  return JSON.parse(resultJson(result));
}
