import { open, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkKeys, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { cannotRead, unreadable } from '../file-errors.js';
import { BFCONVERT, recognise } from './format.js';
import { checkReadOptions, READ_KEYS } from './select.js';
import type { Slide } from './slide.js';
import { openTiffSlide } from './slide-tiff.js';
import { openZarrSlide } from './slide-zarr.js';
import type { ImageReadOptions } from './types.js';

/** Options of {@link openSlide}. */
export interface OpenSlideOptions extends ImageReadOptions {
  signal?: AbortSignal | undefined;
}

/**
 * Opens an image of any size for reading by window: a tiled, pyramidal TIFF (also BigTIFF, OME-TIFF and SVS with JPEG
 * tiles) or an OME-Zarr image (0.4 and 0.5, in a folder or behind HTTP). Only headers are read.
 *
 * `limits.side` applies to the slide; `limits.pixels` and `limits.bytes` apply to each window.
 *
 * ```ts
 * const slide = await openSlide('slide.tif');
 * const corner = await slide.read({ x: 0, y: 0, width: 512, height: 512 });
 * await slide.close();
 * ```
 *
 * @param input path or `file:` URL of a TIFF file or OME-Zarr folder, or `http:` or `https:` URL of an OME-Zarr image.
 * @throws {CellrouteError} INVALID_ARGUMENT, FILE_UNREADABLE; IMAGE_UNSUPPORTED for other formats, with a command that
 *   converts the file, and where `channels` is needed; IMAGE_TOO_LARGE, IMAGE_UNREADABLE.
 */
export async function openSlide(input: string | URL, options: OpenSlideOptions = {}): Promise<Slide> {
  checkKeys('', options, ['signal', ...READ_KEYS]);
  const { signal, ...how } = options;
  const selection = checkReadOptions(how);
  signal?.throwIfAborted();
  const place = placeOf(input);
  if (place instanceof URL) return openZarrSlide(place, selection, signal);
  const info = await stat(place).catch(unreadable(place, signal));
  if (info.isDirectory()) return openZarrSlide(place, selection, signal);
  // A window is read at its position; opening a named pipe would wait for its writer.
  if (!info.isFile()) throw cannotRead(place, 'is not a regular file');
  const handle = await open(place).catch(unreadable(place, signal));
  try {
    const head = new Uint8Array(1024);
    const { bytesRead } = await handle.read(head, 0, head.length, 0).catch(unreadable(place, signal));
    checkFormat(place, head.subarray(0, bytesRead));
    return await openTiffSlide(place, handle, info.size, selection, signal);
  } finally {
    await handle.close();
  }
}

/** An absolute path, because pixels are read when the current folder may be another one; or a URL other than file:. */
function placeOf(input: unknown): string | URL {
  const expected = 'a path or URL of a TIFF file or an OME-Zarr image';
  const url =
    typeof input === 'string' && /^(https?|file):\/\//i.test(input) && URL.canParse(input)
      ? new URL(input)
      : input;
  if (typeof url === 'string' && url !== '') return resolve(url);
  if (!(url instanceof URL)) throw refuse('input', expected, input);
  if (url.protocol === 'file:') return fileURLToPath(url);
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw refuse('input', `${expected}, with file:, http: or https:`, url.protocol);
}

function checkFormat(path: string, head: Uint8Array): void {
  const { supported, name, remedy } = recognise(head);
  if (supported === 'TIFF') return;
  const got = name ?? 'an unknown format';
  const advice = supported
    ? 'pass the file itself to segment, or convert it: '
    : remedy
      ? `${remedy}${remedy === BFCONVERT ? ' -tilex 256 -tiley 256 -pyramid-resolutions 4' : ''}; or convert it: `
      : 'convert it: ';
  throw new CellrouteError(
    'IMAGE_UNSUPPORTED',
    `${basename(path)} is ${got}, which is not read by window; ${advice}${TO_PYRAMID}`,
    { file: path, expected: 'a TIFF file or an OME-Zarr folder', got },
  );
}

/** Makes a tiled pyramid of whatever libvips reads. */
const TO_PYRAMID = "vips copy in 'out.tif[tile,pyramid,bigtiff,compression=deflate]'";
