import { TAG, type TiffDirectory, type TiffFile } from './directory.js';
import { unsupported } from './layout.js';

/** Scanners whose own XML defines the meaning of pages: in file order, pages are overviews or in the wrong order. */
const REFUSED: readonly { what: string; tag: number; start: RegExp; ending: string }[] = [
  {
    what: 'it is a slide of Leica (SCN)',
    tag: TAG.description,
    start: /^\s*(<\?xml[^>]*>\s*)?<scn[\s>]/,
    ending: 'scn',
  },
  {
    what: 'it is a slide of Ventana (BIF)',
    tag: TAG.xmp,
    start: /^\s*(<\?xml[^>]*>\s*)?<(EncodeInfo|Metadata|iScan)[\s>]/,
    ending: 'bif',
  },
];

/** Pages that are searched for a scanner's XML. */
const SEARCHED = 8;

/**
 * Refuses slides whose pages cannot be read one by one.
 *
 * @throws {CellrouteError} IMAGE_UNSUPPORTED with a command that converts the file.
 */
export function refuseScanner(file: TiffFile): void {
  for (const directory of file.directories.slice(0, SEARCHED)) {
    const scanner = REFUSED.find(({ tag, start }) => start.test(file.text(directory, tag)));
    if (!scanner) continue;
    const { what, ending } = scanner;
    throw unsupported(
      what,
      `vips copy in.${ending} 'out.tif[tile,pyramid,bigtiff,compression=jpeg]' (libvips with OpenSlide)`,
    );
  }
}

/** Whether a page of a slide of Aperio (SVS) is its thumbnail, label or overview: these alone are not tiled. */
export function isAperioExtra(file: TiffFile, directory: TiffDirectory): boolean {
  const [first] = file.directories;
  return (
    first!.has(TAG.tileWidth) &&
    /^Aperio/.test(file.text(first!, TAG.description)) &&
    !directory.has(TAG.tileWidth)
  );
}
