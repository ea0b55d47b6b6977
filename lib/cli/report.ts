import { basename } from 'node:path';
import type { Command } from 'commander';
import { decodeImage } from '../image/decode.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { Outputs } from '../outputs.js';
import { Report } from '../report/report.js';
import { eachImage, reportBatch } from './batch.js';
import { counted } from './columns.js';
import { foundCells, printHint } from './hint.js';
import { findImages } from './images.js';
import {
  type ForceFlag,
  fileWith,
  modelOption,
  numberIn,
  type PrecisionFlag,
  withForce,
  withPrecision,
} from './options.js';
import { pagesOf, printNotices, type ReadFlags, withAllPages } from './read-options.js';
import { StopSignals } from './stop-signals.js';
import { checkForModel, type ThresholdFlags, thresholdsOf, withThresholds } from './thresholds.js';

interface Options extends ThresholdFlags, PrecisionFlag, ForceFlag, ReadFlags {
  model?: string | undefined;
  out: string;
  title?: string | undefined;
  maxSide?: number | undefined;
}

export function registerReport(program: Command): void {
  const command = program
    .command('report')
    .description('Segment images and write the results to one HTML file')
    .argument('<images...>', 'image files or folders of images')
    .requiredOption('-o, --out <file>', 'output HTML file, self-contained', fileWith('.html', '.htm'))
    .addOption(modelOption())
    .option('--title <text>', 'title of the page')
    .option(
      '--max-side <pixels>',
      'longer side of embedded images; outlines stay exact (1600, less for many images)',
      numberIn(16, 16_383, { integer: true }),
    );
  withAllPages(withForce(withPrecision(withThresholds(command)))).action(report);
}

async function report(paths: string[], options: Options): Promise<void> {
  const images = await pagesOf(await findImages(paths), options);
  const outputs = new Outputs(options);
  await outputs.check([options.out]);
  const page = new Report({
    title: options.title ?? `Cells in ${paths.map((path) => basename(path)).join(', ')}`,
    expected: images.length,
    maxSide: options.maxSide,
  });
  await using ensemble = await RoutedEnsemble.load(options.model, {
    precision: options.precision,
    device: options.device,
  });
  checkForModel(ensemble, options);
  using stop = new StopSignals();
  const batch = await eachImage(images, {
    device: ensemble.classifier.device,
    stop,
    async work(bytes, { fileName, read }, signal) {
      const image = await decodeImage(bytes, { ...read, signal });
      const result = await ensemble.segment(image, { ...thresholdsOf(options), signal });
      await page.add(fileName, image, result, { signal });
      return { found: foundCells(result), notices: result.notices };
    },
    take: (_, summary) => summary,
  });
  for (const { image, reason } of batch.failures) page.addFailure(image.fileName, reason);
  await outputs.write(options.out, page.html());
  const cells = batch.done.reduce((sum, { result }) => sum + result.found.count, 0);
  console.log(`${options.out}: ${counted(cells, 'cell')} in ${counted(batch.done.length, 'image')}`);
  for (const { image, result } of batch.done) printNotices(image, result.notices);
  printHint(batch.done.map(({ result }) => result.found));
  reportBatch(batch, images.length, stop);
}
