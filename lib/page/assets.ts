import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the folder `assets` of a folder of lib/, in the sources and in dist. */
export const readAsset = (folder: string, name: string): string =>
  readFileSync(join(__dirname, '..', folder, 'assets', name), 'utf8');

/** The style of a page: what all pages share, then its own rules. */
export const styleOf = (folder: string, name: string): string =>
  `${readAsset('page', 'base.css')}\n${readAsset(folder, name)}`;
