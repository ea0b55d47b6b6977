import { join } from 'node:path';
import type { Command } from 'commander';
import { cocoDatasetJson } from '../export/coco-json.js';
import { LABELS_ENDING, OVERLAY_ENDING, RESULT_ENDING } from '../export/file-names.js';
import { kaggleCsv } from '../export/kaggle-csv.js';
import { labelPng } from '../export/label-png.js';
import { resultJson } from '../export/result-json.js';
import { withFolderLock } from '../folder-lock.js';
import { decodeImage } from '../image/decode.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { renderOverlay } from '../render/overlay.js';
import { eachImage, reportBatch } from './batch.js';
import { findImages, type ImageFile } from './images.js';
import { type ForceFlag, type PrecisionFlag, withForce, withPrecision, wordsOf } from './options.js';
import { Outputs } from './outputs.js';
import { type PageFile, pagesOf, printNotices, type ReadFlags, withAllPages } from './read-options.js';
import { type ThresholdFlags, thresholdsOf, withThresholds } from './thresholds.js';

const FORMATS = ['json', 'labels', 'overlay', 'kaggle', 'coco'] as const;
type Format = (typeof FORMATS)[number];

interface Options extends ThresholdFlags, PrecisionFlag, ForceFlag, ReadFlags {
  model?: string | undefined;
  out: string;
  formats: Format[];
}

export function registerSegment(program: Command): void {
  const command = program
    .command('segment')
    .description('Segment the cells of images (PNG, JPEG, WebP, TIFF)')
    .argument('<images...>', 'image files or folders of images')
    .requiredOption('-o, --out <folder>', 'output folder, created if missing')
    .option(
      '-m, --model <folder>',
      'ensemble folder, as written by ensemble.save() (default: the starter ensemble)',
    )
    .option('-f, --formats <list>', `output formats: ${FORMATS.join(', ')}`, wordsOf(FORMATS), [...FORMATS]);
  withAllPages(withForce(withPrecision(withThresholds(command))))
    .addHelpText(
      'after',
      `
Writes NAME.json (type, boxes, scores, masks), NAME.labels.png (16-bit, 0 is background, k is cell k) and
NAME.overlay.png (outlines) for each image, and kaggle.csv and coco.json for all images. NAME is the file name
without its extension. Images with equal names keep the extension, or get folders of their own.`,
    )
    .action(segment);
}

async function segment(paths: string[], options: Options): Promise<void> {
  const images = await pagesOf(await findImages(paths), options);
  const outputs = new Outputs(options);
  await outputs.check(outputPaths(images, options));
  await withFolderLock(options.out, () => segmentAll(images, options, outputs));
}

/** The ending of the files that are written for each image. */
const ENDINGS = { json: RESULT_ENDING, labels: LABELS_ENDING, overlay: OVERLAY_ENDING } as const;
/** The names of the files that are written for all images. */
const NAMES = { kaggle: 'kaggle.csv', coco: 'coco.json' } as const;

function outputPaths(images: readonly ImageFile[], { formats, out }: Options): string[] {
  return formats.flatMap((format) =>
    format === 'kaggle' || format === 'coco'
      ? [join(out, NAMES[format])]
      : images.map(({ name }) => join(out, `${name}${ENDINGS[format]}`)),
  );
}

async function segmentAll(images: readonly PageFile[], options: Options, outputs: Outputs): Promise<void> {
  await using ensemble = await RoutedEnsemble.load(options.model, {
    precision: options.precision,
    device: options.device,
  });
  const wants = (format: Format) => options.formats.includes(format);
  const batch = await eachImage(images, ensemble.classifier.device, async (bytes, file, signal) => {
    const image = await decodeImage(bytes, { ...file.read, signal });
    const result = await ensemble.segment(image, { ...thresholdsOf(options), signal });
    const write = (format: keyof typeof ENDINGS, content: string | Buffer) =>
      outputs.write(join(options.out, `${file.name}${ENDINGS[format]}`), content);
    if (wants('json')) await write('json', resultJson(result, { name: file.fileName }));
    if (wants('labels')) await write('labels', await labelPng(result));
    if (wants('overlay')) await write('overlay', await renderOverlay(image, result));
    return result;
  });
  const named = batch.done.map(({ image, result }) => ({ id: image.name, file: image, result }));
  if (wants('kaggle')) await outputs.write(join(options.out, NAMES.kaggle), kaggleCsv(named));
  if (wants('coco')) {
    const withEndings = named.map(({ file, result }) => ({ id: file.fileName, result }));
    await outputs.write(join(options.out, NAMES.coco), cocoDatasetJson(withEndings));
  }
  for (const { file, result } of named) {
    console.log(lineOf(file, result));
    printNotices(file, result.notices);
  }
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
