import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { cocoDatasetJson } from '../export/coco-json.js';
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
import { type PrecisionFlag, withPrecision, wordsOf } from './options.js';
import { type ThresholdFlags, thresholdsOf, withThresholds } from './thresholds.js';

const FORMATS = ['json', 'labels', 'overlay', 'kaggle', 'coco'] as const;
type Format = (typeof FORMATS)[number];

interface Options extends ThresholdFlags, PrecisionFlag {
  model?: string;
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
  withPrecision(withThresholds(command))
    .addHelpText(
      'after',
      `
Writes NAME.json (type, boxes, scores, masks), NAME.labels.png (16-bit, 0 is background, k is cell k) and
NAME.overlay.png (outlines) for each image, and kaggle.csv and coco.json for all images.`,
    )
    .action(segment);
}

async function segment(paths: string[], options: Options): Promise<void> {
  const images = await findImages(paths);
  await withFolderLock(options.out, () => segmentAll(images, options));
}

async function segmentAll(images: readonly ImageFile[], options: Options): Promise<void> {
  await using ensemble = await RoutedEnsemble.load(options.model, {
    precision: options.precision,
    device: options.device,
  });
  const wants = (format: Format) => options.formats.includes(format);
  const batch = await eachImage(images, async (bytes, file, signal) => {
    const image = await decodeImage(bytes, { signal });
    const result = await ensemble.segment(image, { ...thresholdsOf(options), signal });
    const write = (ending: string, content: string | Buffer) =>
      writeFile(join(options.out, `${file.name}${ending}`), content);
    if (wants('json')) await write('.json', resultJson(result, { name: file.fileName }));
    if (wants('labels')) await write('.labels.png', await labelPng(result));
    if (wants('overlay')) await write('.overlay.png', await renderOverlay(image, result));
    return result;
  });
  const named = batch.done.map(({ image, result }) => ({ id: image.name, file: image, result }));
  if (wants('kaggle')) await writeFile(join(options.out, 'kaggle.csv'), kaggleCsv(named));
  if (wants('coco')) {
    const withEndings = named.map(({ file, result }) => ({ id: file.fileName, result }));
    await writeFile(join(options.out, 'coco.json'), cocoDatasetJson(withEndings));
  }
  for (const { file, result } of named) console.log(lineOf(file, result));
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
