import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { concurrently } from '../../data/concurrently.js';
import { FILES_AT_ONCE } from '../../data/image-files.js';
import { readLabelImage } from '../../data/labels.js';
import { dataInvalid } from '../../data/problems.js';
import { columnsOf, openTable } from '../../data/table.js';
import { imageEndings } from '../../image/format.js';
import { type Side, type SideOptions, typeOf } from './side.js';

/** What `cellroute segment` adds to an image's name. */
const SUFFIX = '.labels';

/**
 * A folder of label images (0 is background, k is cell k), `NAME.png` or `NAME.labels.png`; or a data set's folder
 * with `labels`, where `index.csv`, if it is there, says which images are meant and what is known of them.
 */
export async function readLabelSide(path: string, options: SideOptions): Promise<Side> {
  const below = await stat(join(path, 'labels')).catch(() => undefined);
  const folder = below?.isDirectory() ? join(path, 'labels') : path;
  const files = new Map<string, string>();
  for (const name of (await readdir(folder)).sort()) {
    const ending = extname(name);
    if (!imageEndings.includes(ending.toLowerCase()) || name.endsWith(`.overlay${ending}`)) continue;
    const stem = name.slice(0, -ending.length);
    const id = stem.endsWith(SUFFIX) ? stem.slice(0, -SUFFIX.length) : stem;
    if (files.has(id)) throw dataInvalid(folder, `there are several label images called ${id}`);
    files.set(id, name);
  }
  const index = await readIndex(join(path, 'index.csv'), options);
  const ids = index ? [...index.keys()] : [...files.keys()];
  const images = await concurrently(ids, FILES_AT_ONCE, async (name) => {
    options.signal?.throwIfAborted();
    const file = files.get(name);
    if (file === undefined) throw dataInvalid(folder, `there is no label image called ${name}`);
    const masks = await readLabelImage(join(folder, file), undefined, options.signal);
    if ('reason' in masks) throw dataInvalid(join(folder, file), masks.reason);
    const columns = index?.get(name) ?? {};
    const size = { width: masks.width, height: masks.height };
    return { name, size, columns, ...typeOf(columns, options), masks: () => masks };
  });
  if (images.length === 0) throw dataInvalid(folder, 'there are no label images in it');
  return { path, images, classes: 'none' };
}

async function readIndex(path: string, { signal }: SideOptions) {
  const info = await stat(path).catch(() => undefined);
  if (!info) return undefined;
  const { columns, rows } = await openTable(path, ['id'], signal);
  const at = columns.indexOf('id');
  const index = new Map<string, Record<string, string>>();
  for await (const { fields } of rows) index.set(fields[at] ?? '', columnsOf(columns, fields, ['id']));
  return index;
}
