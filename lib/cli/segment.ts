import { join } from 'node:path';
import type { Command } from 'commander';
import {
  RESULT_FORMAT_NAMES,
  RESULT_FORMATS,
  type ResultFormatName,
  resultFormat,
  runFileName,
} from '../export/formats.js';
import { withFolderLock } from '../folder-lock.js';
import { decodeImage } from '../image/decode.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { Outputs } from '../outputs.js';
import { eachImage, reportBatch } from './batch.js';
import { columns } from './columns.js';
import { printHint } from './hint.js';
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
import { type ThresholdFlags, thresholdsOf, withThresholds } from './thresholds.js';

const DEFAULT_FORMATS: ResultFormatName[] = ['json', 'labels', 'overlay', 'kaggle', 'coco'];

interface Options extends ThresholdFlags, PrecisionFlag, ForceFlag, ReadFlags, MeasurementFlags {
  model?: string | undefined;
  out: string;
  formats: ResultFormatName[];
}

export function registerSegment(program: Command): void {
  const command = program
    .command('segment')
    .description('Segment the cells of images (PNG, JPEG, WebP, TIFF)')
    .argument('<images...>', 'image files or folders of images')
    .requiredOption('-o, --out <folder>', 'output folder, created if missing')
    .addOption(modelOption())
    .option(
      '-f, --formats <list>',
      `output formats: ${RESULT_FORMAT_NAMES.join(', ')}`,
      wordsOf(RESULT_FORMAT_NAMES),
      DEFAULT_FORMATS,
    );
  withAllPages(withForce(withPrecision(withThresholds(withMeasurements(command)))))
    .addHelpText(
      'after',
      `
Formats, and the files that they write for each image or for all:
${columns(RESULT_FORMAT_NAMES.map((name) => [name, fileName(name, 'NAME'), RESULT_FORMATS[name].description])).join('\n')}

NAME is the file name without its extension. Images with equal names keep the extension, or get folders of their own.`,
    )
    .action(segment);
}

async function segment(paths: string[], options: Options): Promise<void> {
  const images = await pagesOf(await findImages(paths), options);
  const outputs = new Outputs(options);
  await outputs.check(outputPaths(images, options));
  await withFolderLock(options.out, () => segmentAll(images, options, outputs));
}

/** The file of a format for an image of this name, or for all images. */
const fileName = (format: ResultFormatName, name: string): string =>
  resultFormat(format).scope === 'run' ? runFileName(format) : `${name}${resultFormat(format).extension}`;

function outputPaths(images: readonly ImageFile[], { formats, out }: Options): string[] {
  const names = formats.flatMap((format) =>
    resultFormat(format).scope === 'run'
      ? [runFileName(format)]
      : images.map(({ name }) => fileName(format, name)),
  );
  return names.map((name) => join(out, name));
}

async function segmentAll(images: readonly PageFile[], options: Options, outputs: Outputs): Promise<void> {
  await using ensemble = await RoutedEnsemble.load(options.model, {
    precision: options.precision,
    device: options.device,
  });
  const batch = await eachImage(images, ensemble.classifier.device, async (bytes, file, signal) => {
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
    for (const name of options.formats) {
      const format = resultFormat(name);
      if (format.scope !== 'image') continue;
      await outputs.write(join(options.out, fileName(name, file.name)), format.write(result, context));
    }
    return result;
  });
  const results = batch.done.map(({ image, result }) => ({
    name: image.fileName,
    stem: image.name,
    result,
  }));
  for (const name of options.formats) {
    const format = resultFormat(name);
    if (format.scope !== 'run') continue;
    await outputs.write(join(options.out, runFileName(name)), format.write(results, {}));
  }
  for (const { image, result } of batch.done) {
    console.log(lineOf(image, result));
    printNotices(image, result.notices);
  }
  printHint(batch.done.map(({ result }) => result));
  reportBatch(batch, images.length);
}

function lineOf(
  file: ImageFile,
  { cellType, probabilities, cells, limitsReached, seams }: RoutedSegmentation,
): string {
  const caps = limitsReached.detections ? ' (detection limit reached: there may be more cells)' : '';
  const tiles = seams
    ? ` in ${(seams.x.length + 1) * (seams.y.length + 1)} tiles, ${seams.cells.length} of them on a seam`
    : '';
  return `${file.fileName}: ${cellType} (${probabilities[cellType]!.toFixed(3)}), ${cells.length} cells${tiles}${caps}`;
}
