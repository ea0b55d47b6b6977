import { join } from 'node:path';
import type { Command } from 'commander';
import {
  RESULT_FORMAT_NAMES,
  RESULT_FORMATS,
  type ResultFormatName,
  resultFormat,
} from '../export/formats.js';
import { withFolderLock } from '../folder-lock.js';
import { decodeImage } from '../image/decode.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { Outputs } from '../outputs.js';
import { type BatchResult, eachImage, reportBatch } from './batch.js';
import { columns, counted } from './columns.js';
import { foundCells, printHint } from './hint.js';
import { findImages, type ImageFile } from './images.js';
import { type MeasurementFlags, withMeasurements } from './measurement-options.js';
import {
  type ForceFlag,
  modelOption,
  type PrecisionFlag,
  withForce,
  withPrecision,
  wordsOf,
} from './options.js';
import { type PageFile, pagesOf, printNotices, type ReadFlags, withAllPages } from './read-options.js';
import { RunFiles } from './run-files.js';
import {
  fileName,
  isSlideFile,
  SLIDE_FORMATS,
  type SlideFlags,
  type Summary,
  segmentSlides,
  withSlideOptions,
} from './slides.js';
import { StopSignals } from './stop-signals.js';
import { checkForModel, type ThresholdFlags, thresholdsOf, withThresholds } from './thresholds.js';
import { typePhrase } from './type-phrase.js';

const DEFAULT_FORMATS: readonly ResultFormatName[] = ['json', 'labels', 'overlay', 'kaggle', 'coco'];
/** Label images in PNG and overlays would need memory for all pixels of a slide. */
const DEFAULT_SLIDE_FORMATS: readonly ResultFormatName[] = ['json', 'kaggle', 'coco'];

interface Options extends ThresholdFlags, PrecisionFlag, ForceFlag, ReadFlags, MeasurementFlags, SlideFlags {
  model?: string | undefined;
  out: string;
  formats?: ResultFormatName[] | undefined;
}

export function registerSegment(program: Command): void {
  const command = program
    .command('segment')
    .description('Segment the cells of images (PNG, JPEG, WebP, TIFF) and slides (TIFF, SVS, OME-Zarr)')
    .argument('<images...>', 'image files, folders of images, and OME-Zarr images: folders or http(s) URLs')
    .requiredOption('-o, --out <folder>', 'output folder, created if missing')
    .addOption(modelOption())
    .option(
      '-f, --formats <list>',
      `output formats: ${RESULT_FORMAT_NAMES.join(', ')} (default: ${DEFAULT_FORMATS.join(',')}; of slides ${DEFAULT_SLIDE_FORMATS.join(',')})`,
      wordsOf(RESULT_FORMAT_NAMES),
    );
  withAllPages(withForce(withPrecision(withThresholds(withMeasurements(withSlideOptions(command))))))
    .addHelpText(
      'after',
      `
Formats, and the files that they write for each image or for all:
${columns(RESULT_FORMAT_NAMES.map((name) => [name, fileName(name, 'NAME'), RESULT_FORMATS[name].description])).join('\n')}

NAME is the file name without its extension. Images with equal names keep the extension, or get separate folders.

OME-Zarr images, TIFFs with smaller levels, and TIFFs with tiles and more than 100 megapixels are slides: they are read by
window, after the other images. Finished tiles are kept in NAME.tiles until the files are written: the same command continues
after an interruption. With --tiles off, a TIFF is decoded as a whole.`,
    )
    .action(segment);
}

async function segment(paths: string[], options: Options): Promise<void> {
  const files = await pagesOf(await findImages(paths, { slides: true }), options);
  const inputs: Inputs = { images: [], slides: [] };
  // Only an image in memory can be segmented in one pass.
  const isWhole = options.tiles === false;
  for (const file of files) {
    const isSlide = await isSlideFile(file.path, file.read, { isWhole });
    (isSlide ? inputs.slides : inputs.images).push(file);
  }
  const outputs = new Outputs(options);
  const formats = formatsOf(options);
  await outputs.check(
    (['images', 'slides'] as const).flatMap((kind) =>
      inputs[kind].flatMap(({ name }) =>
        formats[kind].map((format) => join(options.out, fileName(format, name))),
      ),
    ),
  );
  await withFolderLock(options.out, () => segmentAll(inputs, formats, options, outputs));
}

interface Inputs {
  images: PageFile[];
  slides: PageFile[];
}

type Formats = Record<keyof Inputs, readonly ResultFormatName[]>;

const formatsOf = ({ formats }: Options): Formats =>
  formats
    ? { images: formats, slides: formats.filter((format) => SLIDE_FORMATS.includes(format)) }
    : { images: DEFAULT_FORMATS, slides: DEFAULT_SLIDE_FORMATS };

async function segmentAll(
  { images, slides }: Inputs,
  formats: Formats,
  options: Options,
  outputs: Outputs,
): Promise<void> {
  await using ensemble = await RoutedEnsemble.load(options.model, {
    precision: options.precision,
    device: options.device,
  });
  checkForModel(ensemble, options);
  using stop = new StopSignals();
  const batches = await RunFiles.write(formats.images, options.out, outputs, async (runFiles) => [
    await segmentImages(ensemble, images, formats.images, options, { outputs, runFiles, stop }),
    await segmentSlides(ensemble, slides, {
      flags: options,
      formats: formats.slides,
      outputs,
      runFiles,
      stop,
    }),
  ]);
  const batch = {
    done: batches.flatMap(({ done }) => done),
    failures: batches.flatMap(({ failures }) => failures),
  };
  for (const format of formats.images) {
    if (slides.length === 0 || formats.slides.includes(format) || !options.formats) continue;
    console.error(`${format}: not written for slides, because it needs all pixels in memory`);
  }
  printHint(batch.done.map(({ result }) => result.found));
  reportBatch(batch, images.length + slides.length, stop, { keepsTiles: slides.length > 0 });
}

async function segmentImages(
  ensemble: RoutedEnsemble,
  images: readonly PageFile[],
  formats: readonly ResultFormatName[],
  options: Options,
  { outputs, runFiles, stop }: { outputs: Outputs; runFiles: RunFiles; stop: StopSignals },
): Promise<BatchResult<Summary, PageFile>> {
  const batch = await eachImage(images, {
    device: ensemble.classifier.device,
    stop,
    async work(bytes, file: PageFile, signal) {
      const image = await decodeImage(bytes, { ...file.read, signal });
      const result = await ensemble.segment(image, { ...thresholdsOf(options), signal });
      const context = {
        name: file.fileName,
        image,
        file: bytes,
        limits: file.read.limits,
        pixelSize: options.outputPixelSize ?? (options.pixelSize === 'file' ? undefined : options.pixelSize),
        columns: options.columns,
        signal,
      };
      for (const name of formats) {
        const format = resultFormat(name);
        if (format.scope !== 'image') continue;
        await outputs.write(join(options.out, fileName(name, file.name)), format.write(result, context));
      }
      return result;
    },
    async take(file, result) {
      await runFiles.add({ name: file.fileName, stem: file.id, result });
      const summary = { line: lineOf(file, result), notices: result.notices, found: foundCells(result) };
      if (!process.stderr.isTTY) printLine(file, summary);
      return summary;
    },
  });
  // Lines between those of a progress bar would break it.
  if (process.stderr.isTTY) for (const { image, result } of batch.done) printLine(image, result);
  return batch;
}

function printLine(image: PageFile, { line, notices }: Summary): void {
  console.log(line);
  printNotices(image, notices);
}

function lineOf(file: ImageFile, result: RoutedSegmentation): string {
  const { cells, limitsReached, scale, seams } = result;
  const scaled = scale === 1 ? '' : ` at scale ${scale.toPrecision(3)}`;
  const caps = limitsReached.detections ? ' (detection limit reached: there may be more cells)' : '';
  const tiles = seams
    ? ` in ${(seams.x.length + 1) * (seams.y.length + 1)} tiles, ${seams.cells.length} of them on a seam`
    : '';
  return `${file.fileName}: ${typePhrase(result)}${counted(cells.length, 'cell')}${scaled}${tiles}${caps}`;
}
