import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { untilAborted } from '../abort.js';
import { CellrouteError } from '../errors.js';
import { cannotRead, unreadable } from '../file-errors.js';
import { READ_BY_WINDOW } from './limits.js';

interface SlideOfFiles {
  ending: string;
  /** Files beside a file with the same stem that make it a part of such a slide, whatever its own extension. */
  beside(stem: string): string;
  what: string;
}

/** Slides whose main file contains only a thumbnail, as JPEG or TIFF: the pixels are in files beside it. */
const SLIDES: readonly SlideOfFiles[] = [
  {
    ending: '.mrxs',
    beside: (stem) => join(stem, 'Slidedat.ini'),
    what: "a slide of 3DHISTECH (MRXS), whose own file is a thumbnail; convert it with libvips and OpenSlide: vips copy in.mrxs 'out.tif[tile,pyramid,bigtiff,compression=jpeg]'",
  },
  {
    ending: '.vsi',
    beside: (stem) => `_${stem}_`,
    what: 'a slide of Olympus (VSI), whose own file is a thumbnail; convert it with Bio-Formats: bfconvert -bigtiff -tilex 1024 -tiley 1024 -series 0 in.vsi out.ome.tiff',
  },
];

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Whether a path is a folder with a Zarr group, of version 2 or 3. */
export const isZarrFolder = async (path: string): Promise<boolean> =>
  (await exists(join(path, 'zarr.json'))) || (await exists(join(path, '.zgroup')));

/**
 * Refuses the file of a slide that is many files.
 *
 * @throws {CellrouteError} IMAGE_UNSUPPORTED with a command that converts it.
 */
export async function refuseSlideOfFiles(path: string): Promise<void> {
  const name = basename(path);
  const ending = extname(name).toLowerCase();
  const stem = name.slice(0, name.length - ending.length);
  for (const slide of SLIDES) {
    if (ending !== slide.ending && !(await exists(join(dirname(path), slide.beside(stem))))) continue;
    throw new CellrouteError('IMAGE_UNSUPPORTED', `${path} is ${slide.what}`, { file: path });
  }
}

/**
 * The bytes of an image file, or of a pipe.
 *
 * @throws {CellrouteError} FILE_UNREADABLE, also for a device, which may never end; IMAGE_UNSUPPORTED for a file whose pixels are
 *   in others, and for OME-Zarr; IMAGE_TOO_LARGE for a file that is larger than a buffer.
 */
export async function readImageFile(path: string, signal?: AbortSignal): Promise<Buffer> {
  await refuseSlideOfFiles(path);
  const info = await stat(path).catch(unreadable(path, signal));
  if (info.isCharacterDevice() || info.isBlockDevice()) throw cannotRead(path, 'is a device, not a file');
  // The signal of readFile does not end its wait for the writer of a named pipe.
  const bytes = untilAborted(readFile(path, signal ? { signal } : {}), signal);
  return bytes.catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EISDIR' && (await isZarrFolder(path))) {
      throw new CellrouteError('IMAGE_UNSUPPORTED', `${path} is an OME-Zarr image; ${READ_BY_WINDOW}`, {
        file: path,
        expected: 'an image file',
        got: 'an OME-Zarr image',
      });
    }
    if (error.code === 'ERR_FS_FILE_TOO_LARGE') {
      throw new CellrouteError('IMAGE_TOO_LARGE', `${path}: ${error.message}; ${READ_BY_WINDOW}`, {
        file: path,
        expected: 'a file of at most 2 GiB',
        got: 'a larger one',
      });
    }
    return unreadable(path, signal)(error);
  });
}
