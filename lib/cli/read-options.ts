import { type Command, InvalidArgumentError } from 'commander';
import { refuse } from '../check.js';
import { readImageFile } from '../image/companions.js';
import { readImageInfo } from '../image/decode.js';
import { LIMIT_KEYS } from '../image/limits.js';
import { readOptionsIn } from '../image/select.js';
import type { ImageReadOptions } from '../image/types.js';
import { parseChannels } from '../inference/option-text.js';
import type { ImageFile } from './images.js';
import { numberIn } from './options.js';

/** Values of the options added by {@link withReadOptions}. */
export interface ReadFlags extends ImageReadOptions {
  allPages?: boolean | undefined;
}

const index = numberIn(0, 999_999_999, { integer: true });

/** Adds the options of every command that reads images. */
export function withReadOptions(command: Command): Command {
  return command
    .option(
      '--page <index>',
      'page of a TIFF or frame of a WebP, from 0 (default: the first that is not a thumbnail)',
      index,
    )
    .option('--z <index>', 'plane along z of an OME-TIFF or ImageJ stack, from 0 (default: 0)', index)
    .option('--t <index>', 'time point of an OME-TIFF or ImageJ stack, from 0 (default: 0)', index)
    .option(
      '--channels <list>',
      'one channel, or three for red, green and blue, by index from 0 or OME name, comma-separated',
      parseChannels,
    )
    .option(
      '--limits <list>',
      'largest images that are decoded, such as pixels=2e9,bytes=8e9,side=300000,ratio=2000',
      limitsOf,
    );
}

/** Adds the option of commands that can process every page. */
export const withAllPages = (command: Command): Command =>
  withReadOptions(command).option('--all-pages', 'process each page, plane and time point of an image');

function limitsOf(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [key = '', value = ''] = part.split('=').map((word) => word.trim());
      if (!(LIMIT_KEYS as readonly string[]).includes(key) || !(Number(value) >= 1)) {
        throw new InvalidArgumentError(`Expected ${LIMIT_KEYS.join(', ')} with numbers, such as pixels=2e9.`);
      }
      return [key, Number(value)] as const;
    }),
  );
}

/** How images are read by these flags. */
export const readOptionsOf = (flags: ReadFlags): ImageReadOptions => readOptionsIn(flags);

/** An image file, or one page of it. */
export interface PageFile extends ImageFile {
  read: ImageReadOptions;
}

/**
 * The images to process: each file, or with `--all-pages` each of its planes under a separate name. A file whose
 * pages cannot be listed stays one image, whose error is reported with the others.
 */
export async function pagesOf(images: readonly ImageFile[], flags: ReadFlags): Promise<PageFile[]> {
  const read = readOptionsOf(flags);
  if (!flags.allPages) return images.map((image) => ({ ...image, read }));
  const { page, z, t, ...others } = read;
  if (page !== undefined || z !== undefined || t !== undefined) {
    throw refuse('--all-pages', 'no --page, --z or --t, which choose one of them', page ?? z ?? t);
  }
  const files: PageFile[] = [];
  for (const image of images) {
    const planes = await planesOf(image, others).catch(() => []);
    if (planes.length <= 1) files.push({ ...image, read });
    for (const { label, selection } of planes.length > 1 ? planes : []) {
      const name = `${image.name}.${label}`;
      const dot = image.fileName.lastIndexOf('.');
      const ending = dot > 0 ? image.fileName.slice(dot) : '';
      files.push({
        ...image,
        id: name,
        name,
        fileName: `${name}${ending}`,
        read: { ...others, ...selection },
      });
    }
  }
  return files;
}

interface SelectedPlane {
  label: string;
  selection: ImageReadOptions;
}

/** Every z and t where the file has these axes, every page of others. */
async function planesOf({ path }: ImageFile, others: ImageReadOptions): Promise<SelectedPlane[]> {
  const { source } = await readImageInfo(await readImageFile(path), others);
  const { sizes, pages } = source;
  if (sizes.z * sizes.t === 1) {
    // Channels that are pages are one image.
    if (source.channelPages) return [];
    return pages.map((page) => ({ label: `page${page}`, selection: { page } }));
  }
  const planes: SelectedPlane[] = [];
  for (let t = 0; t < sizes.t; t++) {
    for (let z = 0; z < sizes.z; z++) {
      const label = [...(sizes.t > 1 ? [`t${t}`] : []), ...(sizes.z > 1 ? [`z${z}`] : [])].join('.');
      planes.push({ label, selection: { z, t } });
    }
  }
  return planes;
}

/** Prints what the images hold that was not read, each sentence once per image. */
export function printNotices(file: ImageFile, notices: readonly string[] = []): void {
  for (const notice of notices) console.error(`${file.fileName}: ${notice}`);
}
