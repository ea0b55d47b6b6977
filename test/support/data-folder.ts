import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import sharp from 'sharp';

/** A folder for the data sets of a test file, deleted after its tests. */
export function workFolder(): {
  path: (...names: string[]) => string;
  write: (name: string, content: string | Buffer) => string;
  image: (name: string, width: number, height: number, shade?: number) => Promise<string>;
  labels: (name: string, values: Uint16Array, width: number, height: number) => Promise<string>;
} {
  const root = mkdtempSync(join(tmpdir(), 'cellroute-data-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const path = (...names: string[]) => join(root, ...names);
  const write = (name: string, content: string | Buffer) => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content);
    return path(name);
  };
  return {
    path,
    write,
    image: async (name, width, height, shade = 90) => {
      const raw = { width, height, channels: 1 as const };
      const pixels = Buffer.alloc(width * height, shade);
      return write(name, await sharp(pixels, { raw }).toColourspace('b-w').png().toBuffer());
    },
    labels: async (name, values, width, height) => {
      const raw = { width, height, channels: 1 as const };
      return write(name, await sharp(values, { raw }).toColourspace('grey16').png().toBuffer());
    },
  };
}

/** Files of a folder and its subfolders, without hidden ones. */
export const listing = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => !basename(name).startsWith('.') && statSync(join(folder, name)).isFile())
    .sort();

/** Joins rows to a CSV file. */
export const csv = (...rows: string[]) => `${rows.join('\n')}\n`;
