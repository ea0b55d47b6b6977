import { extname, posix } from 'node:path';
import { imageEndings } from '../image/format.js';

/**
 * Normalises an image name so that names from different files can be compared: parts separated by `/`, in Unicode's
 * composed form (NFC), because macOS decomposes names. Returns undefined if the name is not a path inside a folder.
 */
export function readName(text: string): string | undefined {
  const name = posix.normalize(text.replaceAll('\\', '/')).normalize('NFC');
  const outside = name.startsWith('/') || name === '..' || name.startsWith('../') || /^[a-z]:/i.test(name);
  return text === '' || name === '.' || name.includes('\0') || outside ? undefined : name;
}

/** Suffixes that Cellpose appends to the name of an image for its masks. */
const MASK_SUFFIX = /^(.+?)(_cp)?_masks$/;

/** The name of the image whose masks have this name, without extension; undefined for any other name. */
export const maskedImage = (stem: string): string | undefined => MASK_SUFFIX.exec(stem)?.[1];

/** A file name without its extension. */
export const stemOf = (name: string): string => name.slice(0, name.length - extname(name).length);

/** A name without the extension of an image: other text after a dot, as in `well.1`, belongs to the name. */
export const withoutImageEnding = (name: string): string =>
  imageEndings.includes(extname(name).toLowerCase()) ? stemOf(name) : name;

/**
 * Returns a hint about a name that differs from a missing one only by case, extension, percent-encoding, outer spaces or
 * folders; empty if there is none. The file is not used, because the user must decide which one is meant.
 */
export function similarName(missing: string, names: readonly string[]): string {
  const wanted = comparable(missing);
  const found = names.find((name) => !isHidden(name) && comparable(name) === wanted);
  return found === undefined ? '' : `; there is ${JSON.stringify(found)}`;
}

function comparable(name: string): string {
  let last = name.split('/').at(-1)!;
  try {
    last = decodeURIComponent(last);
  } catch {
    // The name contains a literal percent sign.
  }
  const trimmed = last.trim().normalize('NFC').toLowerCase();
  return withoutImageEnding(trimmed);
}

/**
 * Names without extensions. Names that would become equal keep their extension. Names are compared without case, as in the file
 * systems of macOS and Windows.
 */
export function uniqueStems(fileNames: readonly string[], reserved: readonly string[] = []): string[] {
  const files = new Map<string, Set<string>>();
  for (const fileName of fileNames) {
    const key = stemOf(fileName).toLowerCase();
    files.set(key, (files.get(key) ?? new Set()).add(fileName));
  }
  return fileNames.map((fileName) => {
    const stem = stemOf(fileName);
    const key = stem.toLowerCase();
    return files.get(key)!.size > 1 || reserved.includes(key) ? fileName : stem;
  });
}

/** System files such as macOS's `._a.png` and `.DS_Store`, and macOS's folder in zip files. */
export const isHidden = (name: string): boolean => name.startsWith('.') || name === '__MACOSX';

/** Names of devices in Windows, with any ending. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³])(?=\.|$)/i;

/**
 * The name of a file or, with `/`, its path, as every file system accepts it: Windows reserves names such as `con` and
 * `nul.png`, and drops dots and spaces at the end.
 */
export const portableName = (name: string): string =>
  name
    .split('/')
    .map((part) => part.replace(DEVICE, '$1_').replace(/[. ]+$/, (end) => '_'.repeat(end.length)))
    .join('/');
