import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import {
  RESULT_FORMAT_NAMES,
  RESULT_FORMATS,
  type ResultFormatName,
  resultFormat,
} from '../export/formats.js';
import { withFolderLock } from '../folder-lock.js';
import { openSlide } from '../image/slide-open.js';
import { RoutedEnsemble, type RoutedSlideOptions } from '../inference/ensemble.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { Outputs } from '../outputs.js';
import { type BatchResult, type Failure, reasonOf, reportBatch } from './batch.js';
import { columns } from './columns.js';
import { type ImageFile, withNames } from './images.js';
import { type MeasurementFlags, withMeasurements } from './measurement-options.js';
import {
  type ForceFlag,
  modelOption,
  numberIn,
  type PrecisionFlag,
  withForce,
  withPrecision,
  wordsOf,
} from './options.js';
import { printNotices, type ReadFlags, readOptionsOf, withReadOptions } from './read-options.js';
import { type ThresholdFlags, thresholdsOf, withThresholds } from './thresholds.js';

/** Formats that a slide's result has: none of them needs its pixels. */
const FORMATS = RESULT_FORMAT_NAMES.filter((name) => {
  const { scope, needsImage } = resultFormat(name);
  return scope === 'image' && !needsImage;
});

interface Options extends ThresholdFlags, PrecisionFlag, ForceFlag, ReadFlags, MeasurementFlags {
  model?: string | undefined;
  out: string;
  formats: ResultFormatName[];
  level?: number;
  skipBackground?: number | boolean;
}

export function registerSegmentSlide(program: Command): void {
  const command = program
    .command('segment-slide')
    .description('Segment slides and other images of any size, tile by tile')
    .argument(
      '<slides...>',
      'TIFF, BigTIFF or SVS files with tiles, and OME-Zarr images: folders or http(s) URLs',
    )
    .requiredOption('-o, --out <folder>', 'output folder, created if missing')
    .addOption(modelOption())
    .option('-f, --formats <list>', `output formats: ${FORMATS.join(', ')}`, wordsOf(FORMATS), ['json'])
    .option(
      '--level <index>',
      'level that is segmented, from 0 (default: the smallest that has what the network sees)',
      numberIn(0, 63, { integer: true }),
    )
    .option(
      '--skip-background [share]',
      'skip tiles with less than this share of the contrast of the slide, 0 to 1 (default: all are segmented; 0.05 without a number)',
      numberIn(0, 1),
    );
  withReadOptions(withForce(withPrecision(withThresholds(withMeasurements(command)))))
    .addHelpText(
      'after',
      `
Formats, and the files that they write for each slide:
${columns(FORMATS.map((name) => [name, `NAME${RESULT_FORMATS[name].extension}`, RESULT_FORMATS[name].description])).join('\n')}

Finished tiles are kept in NAME.tiles until the files are written: the same command continues after an interruption.
With other options it is refused; --force then starts again. Memory depends on the tile and on the number of cells.`,
    )
    .action(segmentSlides);
}

async function segmentSlides(paths: string[], options: Options): Promise<void> {
  const slides = withNames(paths);
  const outputs = new Outputs(options);
  await outputs.check(
    slides.flatMap(({ name }) => options.formats.map((format) => fileOf(options.out, name, format))),
  );
  await withFolderLock(options.out, () => segmentEach(slides, options, outputs));
}

const fileOf = (out: string, name: string, format: ResultFormatName) =>
  join(out, `${name}${resultFormat(format).extension}`);

async function segmentEach(slides: readonly ImageFile[], options: Options, outputs: Outputs): Promise<void> {
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  const batch: BatchResult<RoutedSegmentation> = { done: [], failures: [], stopped: false };
  try {
    await using ensemble = await RoutedEnsemble.load(options.model, {
      precision: options.precision,
      device: options.device,
    });
    for (const image of slides) {
      try {
        const result = await segmentOne(ensemble, image, options, outputs, stop.signal);
        batch.done.push({ image, result });
        console.log(lineOf(image, result));
        printNotices(image, result.notices);
      } catch (error) {
        if (stop.signal.aborted) break;
        (batch.failures as Failure[]).push({ image, reason: reasonOf(error) });
      }
    }
  } finally {
    process.off('SIGINT', onInterrupt);
  }
  reportBatch({ ...batch, stopped: stop.signal.aborted }, slides.length);
}

async function segmentOne(
  ensemble: RoutedEnsemble,
  { path, name, fileName }: ImageFile,
  options: Options,
  outputs: Outputs,
  signal: AbortSignal,
): Promise<RoutedSegmentation> {
  const { level, skipBackground, force, out } = options;
  const slide = await openSlide(path, { ...readOptionsOf(options), signal });
  const resume = join(out, `${name}.tiles`);
  if (force) await rm(resume, { recursive: true, force: true });
  const bar = new SingleBar({
    format: '{bar} {image}: {stage} | {eta_formatted} left',
    hideCursor: true,
    stream: process.stderr,
    noTTYOutput: false,
  });
  bar.start(1, 0, { image: fileName, stage: '' });
  try {
    const result = await ensemble.segment(slide, {
      ...(thresholdsOf(options) as RoutedSlideOptions),
      ...(level !== undefined && { level }),
      ...(skipBackground !== undefined && {
        skipBackground: typeof skipBackground === 'number' ? { contrast: skipBackground } : skipBackground,
      }),
      resume,
      signal,
      onProgress: ({ stage, fraction }) => bar.update(fraction, { stage }),
    });
    const { columns: names, outputPixelSize } = options;
    const context = {
      name: fileName,
      file: slide,
      columns: names,
      // Of the full resolution, as the flag has it; the result is of a level.
      pixelSize: outputPixelSize === undefined ? undefined : outputPixelSize * result.slide!.downsample,
      signal,
    };
    for (const word of options.formats) {
      const format = resultFormat(word);
      if (format.scope !== 'image') continue;
      await outputs.write(fileOf(out, name, word), format.write(result, context));
    }
    await rm(resume, { recursive: true, force: true });
    return result;
  } finally {
    bar.stop();
    await slide.close();
  }
}

function lineOf(
  { fileName }: ImageFile,
  { cellType, probabilities, cells, slide }: RoutedSegmentation,
): string {
  const { level, tiles } = slide!;
  const parts = [
    `${fileName}: ${cellType} (${probabilities[cellType]!.toFixed(3)})`,
    `${cells.length} cells in ${tiles.count} tiles of level ${level}`,
    ...(tiles.skipped > 0 ? [`${tiles.skipped} of them background`] : []),
    ...(tiles.resumed > 0 ? [`${tiles.resumed} of an earlier run`] : []),
  ];
  return parts.join(', ');
}
