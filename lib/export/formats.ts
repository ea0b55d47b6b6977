import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { refuse } from '../check.js';
import type { ImageLimits } from '../image/limits.js';
import type { Slide } from '../image/slide.js';
import type { ImageInput } from '../image/types.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import type { ColumnNames } from '../measure/columns.js';
import { type Measurements, measure } from '../measure/measure.js';
import { streamCocoDataset } from './coco-json.js';
import {
  CELLPOSE_ENDING,
  LABEL_TIFF_ENDING,
  LABELS_ENDING,
  OME_TIFF_ENDING,
  OVERLAY_ENDING,
  RESULT_ENDING,
} from './file-names.js';
import { streamQuPathGeoJson } from './geojson.js';
import { imageJRois } from './imagej.js';
import { streamKaggleCsv } from './kaggle-csv.js';
import { streamLabelPng } from './label-png.js';
import { labelTiff, omeTiff } from './label-tiff.js';
import { streamMeasurementsCsv } from './measurements-csv.js';
import { measurementsParquet } from './measurements-parquet.js';
import { omeZarrZip } from './ome-zarr.js';
import { streamResultJson } from './result-json.js';
import { streamSummaryCsv } from './summary-csv.js';

type Result = Segmentation | RoutedSegmentation;

/** Data besides results that writers of {@link RESULT_FORMATS} may use. */
export interface FormatContext {
  signal?: AbortSignal | undefined;
}

/** Data besides the result that the writer of one image may use. */
export interface ImageFormatContext extends FormatContext {
  /** Name of the image with its extension, `well-A1.png`. Default: the name in the result. */
  name?: string | undefined;
  /** The pixels that were segmented: for formats whose `needsImage` is true. */
  image?: ImageInput | undefined;
  /**
   * The image's whole file, of which `image` may be one channel: intensities of all its channels are measured. Default:
   * `image`.
   */
  file?: ImageInput | Slide | undefined;
  /** Micrometres per pixel. Default: what the image's file states, if anything. */
  pixelSize?: number | undefined;
  /** Limits on `file` when it is decoded. Default: those of `decodeImage`. */
  limits?: ImageLimits | undefined;
  /** Whose column names tables of measurements have. Default `skimage`. */
  columns?: ColumnNames | undefined;
}

/** One of the results that are written into one file. */
export interface RunResult {
  /** Name of the image with its extension, `well-A1.png`. */
  name: string;
  /** Id of the image in tables, mostly its name without extension: `well-A1`. */
  stem: string;
  result: Segmentation | RoutedSegmentation;
}

/** Description of a format. */
export interface FormatDescription {
  /** Short description of the file, for lists of formats. */
  description: string;
  /** Appended to the image's name, or to the name of a format whose scope is `run`: `.labels.png`. */
  extension: string;
  /** Media type (RFC 6838), as HTTP's `Content-Type` and `Accept` have it. */
  mediaType: string;
}

/** A format that has a file per image. */
export interface ImageResultFormat extends FormatDescription {
  scope: 'image';
  /** Whether `context.image` is required. */
  needsImage: boolean;
  /**
   * The file, piece by piece.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT, from the first piece on.
   */
  write(result: Segmentation | RoutedSegmentation, context: ImageFormatContext): AsyncIterable<Uint8Array>;
}

/** A format that has one file for all images of a run. */
export interface RunResultFormat extends FormatDescription {
  scope: 'run';
  needsImage: false;
  /** The file, piece by piece, while results arrive. */
  write(
    results: Iterable<RunResult> | AsyncIterable<RunResult>,
    context: FormatContext,
  ): AsyncIterable<Uint8Array>;
}

/** An entry of {@link RESULT_FORMATS}. */
export type ResultFormat = ImageResultFormat | RunResultFormat;

const FORMATS = {
  json: {
    description: 'type, boxes, scores and masks',
    extension: RESULT_ENDING,
    mediaType: 'application/json',
    scope: 'image',
    needsImage: false,
    write: (result, { name, signal }) => utf8(streamResultJson(result, { name }), signal),
  },
  labels: {
    description: '16-bit label image: 0 is background, k is cell k',
    extension: LABELS_ENDING,
    mediaType: 'image/png',
    scope: 'image',
    needsImage: false,
    write: (result, { signal }) => stoppable(streamLabelPng(result), signal),
  },
  overlay: {
    description: 'outlines over the image',
    extension: OVERLAY_ENDING,
    mediaType: 'image/png',
    scope: 'image',
    needsImage: true,
    async *write(result, context) {
      // Loaded when it is used: the core of the package does not load the drawing code.
      const { renderOverlay } = await import('../render/overlay.js');
      const { signal } = context;
      yield await renderOverlay(imageOf('overlay', context), result, { signal });
    },
  },
  geojson: {
    description: 'outlines with measurements for QuPath',
    extension: '.geojson',
    mediaType: 'application/geo+json',
    scope: 'image',
    needsImage: false,
    write: (result, context) => quPath(result, context),
  },
  'geojson-gz': {
    description: 'the same, compressed with gzip',
    extension: '.geojson.gz',
    mediaType: 'application/gzip',
    scope: 'image',
    needsImage: false,
    async *write(result, context) {
      const gzip = createGzip();
      // An error of the source ends the iteration below with the same error.
      const written = pipeline(Readable.from(quPath(result, context)), gzip);
      written.catch(() => {});
      for await (const chunk of gzip) yield chunk as Buffer;
      await written;
    },
  },
  imagej: {
    description: "zip of ROIs for ImageJ's ROI Manager",
    extension: '.rois.zip',
    mediaType: 'application/zip',
    scope: 'image',
    needsImage: false,
    write: (result, { signal }) => stoppable(imageJRois(result), signal),
  },
  measurements: {
    description: 'CSV table of shapes and intensities, a row per cell',
    extension: '.measurements.csv',
    mediaType: 'text/csv',
    scope: 'image',
    needsImage: false,
    async *write(result, context) {
      const { name, columns, signal } = context;
      const measurements = await measured(result, context);
      yield* utf8(streamMeasurementsCsv(result, measurements, { name, columns }), signal);
    },
  },
  parquet: {
    description: 'the same table as Parquet',
    extension: '.measurements.parquet',
    mediaType: 'application/vnd.apache.parquet',
    scope: 'image',
    needsImage: false,
    async *write(result, context) {
      const { name, columns, signal } = context;
      const measurements = await measured(result, context);
      yield* stoppable(measurementsParquet(result, measurements, { name, columns }), signal);
    },
  },
  'label-tiff': {
    description: 'label image as TIFF, 16 or 32 bits',
    extension: LABEL_TIFF_ENDING,
    mediaType: 'image/tiff',
    scope: 'image',
    needsImage: false,
    write: (result, { pixelSize, signal }) => labelTiff(result, { pixelSize, signal }),
  },
  'ome-tiff': {
    description: 'the same as OME-TIFF',
    extension: OME_TIFF_ENDING,
    mediaType: 'image/tiff',
    scope: 'image',
    needsImage: false,
    write: (result, { name, pixelSize, signal }) => omeTiff(result, { name, pixelSize, signal }),
  },
  cellpose: {
    description: "the same under the name that cellpose's tools read",
    extension: CELLPOSE_ENDING,
    mediaType: 'image/tiff',
    scope: 'image',
    needsImage: false,
    write: (result, { pixelSize, signal }) => labelTiff(result, { pixelSize, signal }),
  },
  'ome-zarr': {
    description: 'label image with a pyramid as OME-Zarr 0.5, zipped',
    extension: '.labels.ozx',
    mediaType: 'application/zip',
    scope: 'image',
    needsImage: false,
    write: (result, { name, pixelSize, signal }) =>
      stoppable(omeZarrZip(result, { name, pixelSize, signal }), signal),
  },
  summary: {
    description: 'CSV table of the run, a row per image',
    extension: '.csv',
    mediaType: 'text/csv',
    scope: 'run',
    needsImage: false,
    write: (results, { signal }) => utf8(streamSummaryCsv(named(results, 'name')), signal),
  },
  kaggle: {
    description: "CSV of a submission to Kaggle's Sartorius competition",
    extension: '.csv',
    mediaType: 'text/csv',
    scope: 'run',
    needsImage: false,
    write: (results, { signal }) => utf8(streamKaggleCsv(named(results, 'stem')), signal),
  },
  coco: {
    description: 'COCO data set with run-length masks',
    extension: '.json',
    mediaType: 'application/json',
    scope: 'run',
    needsImage: false,
    write: (results, { signal }) => utf8(streamCocoDataset(named(results, 'name')), signal),
  },
} as const satisfies Record<string, ResultFormat>;

type Formats = typeof FORMATS;

/**
 * The files that results are written to, by their names in `cellroute segment --formats`. A writer keeps no more in
 * memory than a block of cells.
 *
 * ```ts
 * const { extension, write } = RESULT_FORMATS.json;
 * await pipeline(write(result, { name: 'well-A1.png' }), createWriteStream(`well-A1${extension}`));
 * ```
 */
export const RESULT_FORMATS: {
  readonly [Name in keyof Formats]: Formats[Name]['scope'] extends 'run'
    ? RunResultFormat
    : ImageResultFormat;
} = FORMATS;

/** Name of a format, as in `cellroute segment --formats`. */
export type ResultFormatName = keyof typeof RESULT_FORMATS;

/** All names, in the order in which they are listed. */
export const RESULT_FORMAT_NAMES = Object.keys(RESULT_FORMATS) as ResultFormatName[];

/** The entry of a name, as the type that all entries have in common. */
export const resultFormat = (name: ResultFormatName): ResultFormat => RESULT_FORMATS[name];

/** Name of the file that a format of scope `run` has for all images: `coco.json`. */
export const runFileName = (name: ResultFormatName): string => `${name}${RESULT_FORMATS[name].extension}`;

function imageOf(format: string, { image }: ImageFormatContext): ImageInput {
  if (image === undefined) throw refuse('image', `the image, which format '${format}' needs`, image);
  return image;
}

/** Measurements by the context that they were made with: formats that are written with one context share them. */
const measuredWith = new WeakMap<
  ImageFormatContext,
  { result: Result; measurements: Promise<Measurements> }
>();

/** Measurements of the cells, with the intensities of every channel where the image is there. */
function measured(result: Result, context: ImageFormatContext): Promise<Measurements> {
  const known = measuredWith.get(context);
  if (known?.result === result) return known.measurements;
  const { file, image, limits, pixelSize, signal } = context;
  const measurements = measure(result, file ?? image, { limits, pixelSize, signal });
  measuredWith.set(context, { result, measurements });
  return measurements;
}

async function* quPath(
  result: Result,
  context: ImageFormatContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  const measurements = await measured(result, context);
  yield* utf8(streamQuPathGeoJson(result, { measurements, name: context.name }), context.signal);
}

async function* named(
  results: Iterable<RunResult> | AsyncIterable<RunResult>,
  key: 'name' | 'stem',
): AsyncGenerator<{ id: string; result: Result }, void, undefined> {
  for await (const each of results) yield { id: each[key], result: each.result };
}

async function* utf8(
  texts: AsyncIterable<string>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const text of stoppable(texts, signal)) if (text !== '') yield Buffer.from(text);
}

/** The same pieces, each in a separate turn of the event loop, until the signal aborts; then its reason is thrown. */
async function* stoppable<T>(
  pieces: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  signal?.throwIfAborted();
  for await (const piece of pieces) {
    yield piece;
    await nextTurn();
    signal?.throwIfAborted();
  }
}
