// Slides in the commands `segment` and `segment-slide`.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CellrouteError } from '../errors.js';
import { RESULT_FORMAT_NAMES, type ResultFormatName, resultFormat, runFileName } from '../export/formats.js';
import { isZarrFolder } from '../image/companions.js';
import { openSlide } from '../image/slide-open.js';
import type { ImageReadOptions } from '../image/types.js';
import type { RoutedEnsemble, RoutedSlideOptions } from '../inference/ensemble.js';
import type { RoutedSegmentation } from '../inference/result.js';
import type { Outputs } from '../outputs.js';
import { type BatchResult, isFatal, progressBar, reasonOf } from './batch.js';
import { counted } from './columns.js';
import { type FoundCells, foundCells } from './hint.js';
import { type ImageFile, isWebAddress } from './images.js';
import type { MeasurementFlags } from './measurement-options.js';
import { type ForceFlag, numberIn } from './options.js';
import { type PageFile, printNotices } from './read-options.js';
import type { RunFiles } from './run-files.js';
import type { StopSignals } from './stop-signals.js';
import { type ThresholdFlags, thresholdsOf } from './thresholds.js';
import { typePhrase } from './type-phrase.js';

/** Formats that a slide's result has: none of them needs its pixels as a whole. */
export const SLIDE_FORMATS: readonly ResultFormatName[] = RESULT_FORMAT_NAMES.filter(
  (name) => !resultFormat(name).needsImage,
);

/** TIFFs with tiles and more pixels are read by window, also without smaller levels. */
const LARGE_PIXELS = 1e8;

/** Values of the options added by {@link withSlideOptions}. */
export interface SlideFlags {
  level?: number | undefined;
  skipBackground?: number | boolean | undefined;
}

/** Adds the options that only slides have. */
export const withSlideOptions = (command: Command): Command =>
  command
    .option(
      '--level <index>',
      "slides: level that is segmented, from 0 (default: the smallest with the resolution of the network's input)",
      numberIn(0, 63, { integer: true }),
    )
    .option(
      '--skip-background [share]',
      'slides: skip tiles with less than this share of the contrast of the slide, 0 to 1 (default: all are segmented; 0.05 without a number)',
      numberIn(0, 1),
    );

/**
 * Whether a file is read by window: OME-Zarr, a TIFF with smaller levels, or one with tiles and more than 100 megapixels.
 * A file that `openSlide` refuses is decoded as a whole, and may be refused there.
 *
 * @param isWhole whether a TIFF is to be segmented in one pass.
 */
export async function isSlideFile(
  path: string,
  options: ImageReadOptions,
  { isWhole }: { isWhole: boolean },
): Promise<boolean> {
  if (isWebAddress(path) || (await isZarrFolder(path))) return true;
  if (isWhole) return false;
  const slide = await openSlide(path, options).catch((error: unknown) => {
    if (error instanceof CellrouteError) return undefined;
    throw error;
  });
  if (!slide) return false;
  await slide.close();
  return slide.levels.length > 1 || slide.width * slide.height > LARGE_PIXELS;
}

/** The file of a format for an image of this name, or for all images. */
export const fileName = (format: ResultFormatName, name: string): string =>
  resultFormat(format).scope === 'run' ? runFileName(format) : `${name}${resultFormat(format).extension}`;

/** Options of {@link segmentSlides}. */
export interface SlideRun {
  flags: SlideFlags & ThresholdFlags & ForceFlag & MeasurementFlags & { out: string };
  formats: readonly ResultFormatName[];
  outputs: Outputs;
  /** Where the results go that have one file for all images. */
  runFiles: RunFiles;
  stop: StopSignals;
}

/** The part of a result that is kept after it was written. */
export interface Summary {
  line: string;
  notices: readonly string[] | undefined;
  found: FoundCells;
}

/** Segments slides one after the other. One that fails does not stop the others. */
export async function segmentSlides(
  ensemble: RoutedEnsemble,
  slides: readonly PageFile[],
  run: SlideRun,
): Promise<BatchResult<Summary, PageFile>> {
  const { runFiles, stop } = run;
  const batch: BatchResult<Summary, PageFile> = { done: [], failures: [] };
  for (const image of slides) {
    if (stop.received) break;
    let result: RoutedSegmentation;
    try {
      result = await segmentOne(ensemble, image, run);
    } catch (error) {
      if (stop.caused(error)) break;
      if (isFatal(error)) throw error;
      batch.failures.push({ image, reason: reasonOf(error) });
      continue;
    }
    await runFiles.add({ name: image.fileName, stem: image.id, result });
    const line = lineOf(image, result);
    const { notices } = result;
    batch.done.push({ image, result: { line, notices, found: foundCells(result) } });
    console.log(line);
    printNotices(image, notices);
  }
  return batch;
}

async function segmentOne(
  ensemble: RoutedEnsemble,
  { path, name, fileName: file, read }: PageFile,
  { flags, formats, outputs, stop: { signal } }: SlideRun,
): Promise<RoutedSegmentation> {
  const { level, skipBackground, force, out } = flags;
  const slide = await openSlide(path, { ...read, signal });
  const resume = join(out, `${name}.tiles`);
  if (force) await rm(resume, { recursive: true, force: true });
  const bar = progressBar('{bar} {image}: {stage} | {eta_formatted} left');
  bar.start(1, 0, { image: file, stage: '' });
  try {
    const result = await ensemble.segment(slide, {
      ...(thresholdsOf(flags) as RoutedSlideOptions),
      level,
      skipBackground: typeof skipBackground === 'number' ? { contrast: skipBackground } : skipBackground,
      resume,
      signal,
      onProgress: ({ stage, fraction }) => bar.update(fraction, { stage }),
    });
    const { columns, outputPixelSize } = flags;
    const context = {
      name: file,
      file: slide,
      columns,
      // The flag refers to the full resolution, the result to a level.
      pixelSize: outputPixelSize === undefined ? undefined : outputPixelSize * result.slide!.downsample,
      signal,
    };
    for (const word of formats) {
      const format = resultFormat(word);
      if (format.scope !== 'image') continue;
      await outputs.write(join(out, fileName(word, name)), format.write(result, context));
    }
    await rm(resume, { recursive: true, force: true });
    return result;
  } finally {
    bar.stop();
    await slide.close();
  }
}

function lineOf({ fileName }: ImageFile, result: RoutedSegmentation): string {
  const { level, tiles } = result.slide!;
  const parts = [
    `${fileName}: ${typePhrase(result)}${counted(result.cells.length, 'cell')} in ${counted(tiles.count, 'tile')} of level ${level}`,
    ...(tiles.skipped > 0 ? [`${tiles.skipped} of them background`] : []),
    ...(tiles.resumed > 0 ? [`${tiles.resumed} of an earlier run`] : []),
  ];
  return parts.join(', ');
}
