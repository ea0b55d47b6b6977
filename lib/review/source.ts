import { createHash } from 'node:crypto';
import { CONCURRENT_FILES, isFolder } from '../annotations/image-folder.js';
import { openAnnotations } from '../annotations/open.js';
import { type DataProblem, dataInvalid, ProblemList } from '../annotations/problems.js';
import type { CellAnnotations, ImageAnnotations } from '../annotations/types.js';
import { readOptionsIn } from '../image/select.js';
import type { ImageSize } from '../mask/masks.js';
import { mapAll } from '../pool.js';
import type { ClassedCells } from './edits.js';
import type { ReviewOptions } from './options.js';

/** Class of the cells of predictions without classes. */
const ONLY_CLASS = 'cell';

/** The predictions of one image. */
export interface PredictedCells extends ClassedCells {
  scores: readonly number[] | undefined;
  /** SHA-256 of masks and classes. */
  digest: string;
}

/** An image to review. */
export interface ReviewImage {
  /** File name, or path below the folder of images; unique. */
  name: string;
  path: string;
  size: ImageSize;
  /** The predicted cell type. */
  cellType: string | undefined;
  predictions(): Promise<PredictedCells>;
}

/** Images with predictions, and what cannot be reviewed. */
export interface ReviewSource {
  images: readonly ReviewImage[];
  classes: readonly string[];
  cellTypes: readonly string[];
  problems: readonly DataProblem[];
}

/**
 * Opens predictions, in any form that `evaluate` reads, with their images.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID if no image can be reviewed.
 */
export async function openSource(path: string, options: ReviewOptions): Promise<ReviewSource> {
  const { images: folder, categories, crowds, signal } = options;
  const source = await openAnnotations(path, {
    images: folder,
    categories,
    crowds,
    signal,
    predictions: true,
  });
  const problems = new ProblemList();
  problems.add(...source.problems, ...source.notices);
  const read = readOptionsIn(options);
  const found = await mapAll(source.images, CONCURRENT_FILES, (image) => reviewImage(image, read, signal));
  const images: ReviewImage[] = [];
  const classes = new Set(categories === 'cell-types' ? [] : source.categories?.values());
  const cellTypes = new Set<string>();
  for (const [i, one] of found.entries()) {
    problems.add(...one.problems);
    if (!one.image) {
      const { place, name } = source.images[i]!;
      problems.add({ ...place, id: name, reason: one.reason });
      continue;
    }
    images.push(one.image);
    for (const name of one.classes) classes.add(name);
    if (one.image.cellType !== undefined) cellTypes.add(one.image.cellType);
  }
  if (images.length === 0) {
    const hint =
      folder === undefined && (await isFolder(path))
        ? ': pass the folder of the images (images, --images)'
        : '';
    throw dataInvalid(path, `no image can be reviewed${hint}`, problems.list());
  }
  for (const name of options.classes ?? []) classes.add(name);
  for (const name of options.cellTypes ?? []) cellTypes.add(name);
  return {
    images: images.sort((a, b) => (a.name < b.name ? -1 : 1)),
    classes: classes.size > 0 ? [...classes] : [ONLY_CLASS],
    cellTypes: [...cellTypes],
    problems: problems.list(),
  };
}

async function reviewImage(
  image: ImageAnnotations,
  read: ReturnType<typeof readOptionsIn>,
  signal: AbortSignal | undefined,
): Promise<
  { problems: readonly DataProblem[] } & (
    | { image: ReviewImage; classes: ReadonlySet<string> }
    | { image?: undefined; reason: string }
  )
> {
  signal?.throwIfAborted();
  const file = await image.locate(signal, read);
  if ('reason' in file) return { reason: file.reason, problems: [] };
  const { path, size } = file;
  const { cells, reason: unusable, problems } = await image.read(size, signal);
  if (!cells) return { reason: unusable, problems };
  const { width, height } = cells.masks;
  if (width !== size.width || height !== size.height) {
    const reason = `its predictions have ${width} x ${height} pixels, but the image ${size.width} x ${size.height}`;
    return { reason, problems };
  }
  const cellType = cells.cellType ?? image.cellType;
  return {
    image: {
      name: image.fileName,
      path,
      size,
      cellType,
      async predictions() {
        const { cells: again, reason } = await image.read(size);
        if (!again) throw dataInvalid(image.place.file, reason);
        return predictedCells(again, cellType);
      },
    },
    classes: new Set(single(cells).map((i) => className(cells.classes?.[i], cellType))),
    problems,
  };
}

/** Indices of single cells, without regions of many cells. */
const single = ({ masks, crowd }: CellAnnotations): number[] =>
  Array.from({ length: masks.length }, (_, i) => i).filter((i) => !crowd?.[i]);

function predictedCells(cells: CellAnnotations, cellType: string | undefined): PredictedCells {
  const kept = single(cells);
  const masks = kept.length === cells.masks.length ? cells.masks : cells.masks.select(kept);
  const classes = kept.map((i) => className(cells.classes?.[i], cellType));
  const { scores } = cells;
  const content = JSON.stringify([masks.width, masks.height, masks.toCoco(), classes]);
  return {
    masks,
    classes,
    scores: scores && kept.map((i) => scores[i]!),
    digest: createHash('sha256').update(content).digest('hex'),
  };
}

/** Results name the first class of a segmenter after the type of the image, which is stored per image. */
function className(name = ONLY_CLASS, cellType: string | undefined): string {
  if (cellType === undefined || !name.startsWith(cellType)) return name;
  const label = name.slice(cellType.length);
  return label === '' || /^ \d+$/.test(label) ? `${ONLY_CLASS}${label}` : name;
}
