import { CellrouteError } from '../../errors.js';
import { MAX_PLANES, planesInDirectory, readAxes, type TiffAxes } from './axes.js';
import { DamagedTiff, TAG, type TiffDirectory, type TiffFile } from './directory.js';
import { readLayout, type TiffLayout, UNCOMPRESSED, unsupported } from './layout.js';
import { isAperioExtra, refuseScanner } from './scanners.js';

/** A page: a directory, or a plane of a directory with a stack. */
export interface TiffPage {
  directory: TiffDirectory;
  /** Number of planes of its stack before it. */
  plane: number;
}

export interface TiffPages {
  all: readonly TiffPage[];
  /** Pages that are planes of the image, not pyramid levels, thumbnails, labels or masks. */
  planes: readonly number[];
  axes: TiffAxes | undefined;
}

const REDUCED = 1;
const MASK = 4;
/** Value of TIFF 5's SubfileType for a reduced image. */
const OLD_REDUCED = 2;
/** Allowed relative difference of the aspect ratios of pyramid levels, whose sides are rounded. */
const PROPORTION = 0.02;

/** @throws {DamagedTiff} if a stack is longer than the file; {CellrouteError} for slides that are not read. */
export function readPages(file: TiffFile): TiffPages {
  refuseScanner(file);
  const { directories } = file;
  const first = directories[0]!;
  const stacked = directories.length === 1 ? planesInDirectory(file, first) : 1;
  if (stacked > Math.min(MAX_PLANES, file.bytes.byteLength)) {
    throw new DamagedTiff(`its description states ${stacked} planes, more than the file can hold`);
  }
  if (stacked > 1) {
    const planes = Array.from({ length: stacked }, (_, plane) => plane);
    return {
      all: planes.map((plane) => ({ directory: first, plane })),
      planes,
      axes: readAxes(file, first),
    };
  }
  const all = directories.map((directory) => ({ directory, plane: 0 }));
  const full = all.findIndex(({ directory }) => !isMarkedSmaller(file, directory));
  const main = directories[Math.max(0, full)]!;
  const planes = all.flatMap(({ directory }, i) =>
    directory === main ||
    !(isMarkedSmaller(file, directory) || isLevelOf(file, main, directory) || isAperioExtra(file, directory))
      ? [i]
      : [],
  );
  return { all, planes, axes: readAxes(file, first) };
}

function isMarkedSmaller(file: TiffFile, directory: TiffDirectory): boolean {
  const kind = file.number(directory, TAG.newSubfileType) ?? 0;
  return (kind & (REDUCED | MASK)) !== 0 || file.number(directory, TAG.subfileType) === OLD_REDUCED;
}

/** Numbers of the pages that are smaller levels of a tiled page, the largest first. Thumbnails have no tiles. */
export function levelsOf(file: TiffFile, { all }: TiffPages, main: TiffDirectory): number[] {
  return all
    .flatMap(({ directory }, i) =>
      directory.has(TAG.tileWidth) && isLevelOf(file, main, directory) ? [i] : [],
    )
    .sort((a, b) => sides(file, all[b]!.directory)[0] - sides(file, all[a]!.directory)[0]);
}

/** Whether a page is a smaller level of a tiled page, because not every scanner marks levels. */
function isLevelOf(file: TiffFile, main: TiffDirectory, directory: TiffDirectory): boolean {
  if (!main.has(TAG.tileWidth)) return false;
  const [mainWidth, mainHeight] = sides(file, main);
  const [width, height] = sides(file, directory);
  if (width >= mainWidth && height >= mainHeight) return false;
  return Math.abs((width * mainHeight) / (height * mainWidth) - 1) < PROPORTION;
}

const sides = (file: TiffFile, directory: TiffDirectory): [number, number] => [
  file.number(directory, TAG.width) ?? 0,
  file.number(directory, TAG.height) ?? 0,
];

/** Layout of a page: that of its directory, with the offset of its plane in the stack. */
export function layoutOf(file: TiffFile, { directory, plane }: TiffPage): TiffLayout {
  const layout = readLayout(file, directory);
  if (plane === 0) return layout;
  const { offsets, byteCounts, compression } = layout;
  const gap = offsets.findIndex((offset, i) => i > 0 && offset !== offsets[i - 1]! + byteCounts[i - 1]!);
  if (compression !== UNCOMPRESSED || layout.tile || layout.planar || gap >= 0) {
    throw unsupported(
      'its stack in one directory is compressed or in pieces',
      'bfconvert in.tif out.ome.tiff',
    );
  }
  const bytes = byteCounts.reduce((sum, count) => sum + count, 0);
  const end = offsets[0]! + bytes * (plane + 1);
  if (end > file.bytes.byteLength) {
    throw new DamagedTiff(
      `plane ${plane} of its stack ends ${end - file.bytes.byteLength} bytes past the end of the file`,
    );
  }
  return { ...layout, offsets: offsets.map((offset) => offset + bytes * plane) };
}

/** Message about a file that lacks pages of its description. @internal */
export function missingPlane(what: string): CellrouteError {
  return new CellrouteError('IMAGE_UNREADABLE', `The TIFF cannot be read: it does not hold ${what}`, {
    got: what,
  });
}
