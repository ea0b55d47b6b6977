import { checkOptions, checkString } from '../check.js';
import { cellBlocks } from './blocks.js';
import { cellTypeOf, type NamedResult, streamOf, type TextWriter, textOf } from './named.js';
import { csvLine } from './text.js';

/** Options of {@link kaggleCsv}. */
export interface KaggleOptions {
  /** Name of the mask column. Default `predicted`. */
  column?: string | undefined;
}

/** Options of {@link kaggleTrainCsv}. */
export interface KaggleTrainOptions {
  /** Cell type of results without a router. Default: empty. */
  cellType?: string | undefined;
}

/**
 * Creates a submission to the Sartorius competition: rows `id,predicted`, one per cell by descending score, with Kaggle's
 * masks (1-based, row-major "start length"). An image without cells has one row with an empty mask, so that no image is
 * missing. The competition refuses overlapping cells, so segment with `removeOverlaps`.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function kaggleCsv(images: Iterable<NamedResult>, options: KaggleOptions = {}): string {
  return textOf(images, submission(options));
}

/**
 * {@link kaggleCsv} as a stream: pieces of text, for `stream.Readable.from` or a file.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT; the iteration throws what `images` throw.
 */
export function streamKaggleCsv(
  images: Iterable<NamedResult> | AsyncIterable<NamedResult>,
  options: KaggleOptions = {},
): AsyncGenerator<string, void, undefined> {
  return streamOf(images, submission(options));
}

/**
 * Creates a file in the format of the Sartorius competition's train.csv. Columns of plate and date are empty. `cellType` is
 * used for results without a router. An image without cells has one row with an empty annotation.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function kaggleTrainCsv(images: Iterable<NamedResult>, options: KaggleTrainOptions = {}): string {
  return textOf(images, trainingData(options));
}

/**
 * {@link kaggleTrainCsv} as a stream: pieces of text, for `stream.Readable.from` or a file.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT; the iteration throws what `images` throw.
 */
export function streamKaggleTrainCsv(
  images: Iterable<NamedResult> | AsyncIterable<NamedResult>,
  options: KaggleTrainOptions = {},
): AsyncGenerator<string, void, undefined> {
  return streamOf(images, trainingData(options));
}

function submission(options: KaggleOptions): TextWriter<NamedResult> {
  checkOptions(options, ['column']);
  const column = checkString('column', options.column ?? 'predicted');
  return {
    begin: () => csvLine(['id', column]),
    *add({ id, result }) {
      for (const masks of masksOf(result)) yield masks.map((mask) => csvLine([id, mask])).join('');
    },
    end: () => '',
  };
}

const TRAIN_COLUMNS = [
  'id',
  'annotation',
  'width',
  'height',
  'cell_type',
  'plate_time',
  'sample_date',
  'sample_id',
  'elapsed_timedelta',
];

function trainingData(options: KaggleTrainOptions): TextWriter<NamedResult> {
  checkOptions(options, ['cellType']);
  const { cellType = '' } = options;
  if (cellType !== '') checkString('cellType', cellType);
  return {
    begin: () => csvLine(TRAIN_COLUMNS),
    *add({ id, result }) {
      const { width, height } = result;
      const type = cellTypeOf(result) ?? cellType;
      for (const masks of masksOf(result)) {
        yield masks.map((mask) => csvLine([id, mask, width, height, type, '', '', '', ''])).join('');
      }
    },
    end: () => '',
  };
}

/** Blocks of texts; one empty text for an image without cells. */
function* masksOf({ cells }: NamedResult['result']): Generator<string[], void, undefined> {
  if (cells.length === 0) yield [''];
  for (const { masks } of cellBlocks(cells)) yield masks.toKaggle();
}
