import { basename } from 'node:path';
import { checkNumber, checkObject, checkOneOf, refuse } from '../../check.js';
import { dataInvalid } from '../../data/problems.js';
import { CellrouteError } from '../../errors.js';
import type { ResultJson } from '../../export/result-json.js';
import { Masks } from '../../mask/masks.js';
import { readJson } from './coco.js';
import type { Side, SideImage } from './side.js';

/** Whether a parsed file is one that resultJson() writes. */
export const isResult = (value: unknown): value is ResultJson =>
  typeof value === 'object' &&
  value !== null &&
  (value as { format?: unknown }).format === 'cellroute-result';

/** Results as `cellroute segment` writes them, a file an image. */
export async function readResults(path: string, files: readonly string[]): Promise<Side> {
  const images: SideImage[] = [];
  for (const file of files) {
    const value = await readJson(file);
    // A run's folder has a COCO file among them.
    if (!isResult(value)) continue;
    try {
      images.push(imageOf(basename(file, '.json'), value));
    } catch (error) {
      if (!(error instanceof CellrouteError)) throw error;
      throw dataInvalid(file, error.message);
    }
  }
  return { path, images, classes: 'names' };
}

function imageOf(name: string, result: ResultJson): SideImage {
  const { version, cells, rle, cellType } = result;
  if ((version as number) !== 1) throw refuse('version', '1, the only one known here', version);
  const width = checkNumber('width', result.width, { min: 1, integer: true });
  const height = checkNumber('height', result.height, { min: 1, integer: true });
  const size = { width, height };
  checkOneOf('rle', rle, ['coco', 'counts', 'kaggle']);
  if (!Array.isArray(cells)) throw refuse('cells', 'a list', cells);
  cells.forEach((cell: unknown, i) => {
    const { box, score, label } = checkObject(`cells[${i}]`, cell);
    checkNumber(`cells[${i}].score`, score);
    checkNumber(`cells[${i}].label`, label, { integer: true });
    if (!Array.isArray(box) || box.length !== 4) throw refuse(`cells[${i}].box`, 'four numbers', box);
    for (const side of box) checkNumber(`cells[${i}].box`, side);
  });
  const runs = cells.map(({ mask }) => mask);
  const masks =
    rle === 'counts'
      ? Masks.fromCounts(runs as number[][], size)
      : Masks[rle === 'coco' ? 'fromCoco' : 'fromKaggle'](runs as string[], size);
  const category = cellType ?? 'cell';
  return {
    name,
    size,
    masks: () => masks,
    scores: cells.map(({ score }) => score),
    // As cocoDatasetJson() names them.
    classes: cells.map(({ label }) => (label === 1 ? category : `${category} ${label}`)),
    boxes: cells.flatMap(({ box: [x1, y1, x2, y2] }) => [x1, y1, x2 - x1, y2 - y1]),
  };
}
