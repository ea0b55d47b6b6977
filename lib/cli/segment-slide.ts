import { join } from 'node:path';
import type { Command } from 'commander';
import { RESULT_FORMATS, type ResultFormatName } from '../export/formats.js';
import { withFolderLock } from '../folder-lock.js';
import { RoutedEnsemble } from '../inference/ensemble.js';
import { Outputs } from '../outputs.js';
import { reportBatch } from './batch.js';
import { columns } from './columns.js';
import { withNames } from './images.js';
import { type MeasurementFlags, withMeasurements } from './measurement-options.js';
import {
  type ForceFlag,
  modelOption,
  type PrecisionFlag,
  withForce,
  withPrecision,
  wordsOf,
} from './options.js';
import { type PageFile, type ReadFlags, readOptionsOf, withReadOptions } from './read-options.js';
import { RunFiles } from './run-files.js';
import { fileName, SLIDE_FORMATS, type SlideFlags, segmentSlides, withSlideOptions } from './slides.js';
import { StopSignals } from './stop-signals.js';
import { checkForModel, type ThresholdFlags, withThresholds } from './thresholds.js';

interface Options extends ThresholdFlags, PrecisionFlag, ForceFlag, ReadFlags, MeasurementFlags, SlideFlags {
  model?: string | undefined;
  out: string;
  formats: ResultFormatName[];
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
    .option('-f, --formats <list>', `output formats: ${SLIDE_FORMATS.join(', ')}`, wordsOf(SLIDE_FORMATS), [
      'json',
    ]);
  withReadOptions(withForce(withPrecision(withThresholds(withMeasurements(withSlideOptions(command))))))
    .addHelpText(
      'after',
      `
Formats, and the files that they write for each slide or for all:
${columns(SLIDE_FORMATS.map((name) => [name, fileName(name, 'NAME'), RESULT_FORMATS[name].description])).join('\n')}

Finished tiles are kept in NAME.tiles until the files are written: the same command continues after an interruption.
With other options it is refused; --force then starts again. Memory depends on the tile and on the number of cells.
The command segment does the same with images that are slides.`,
    )
    .action(run);
}

async function run(paths: string[], options: Options): Promise<void> {
  const read = readOptionsOf(options);
  const slides: PageFile[] = withNames(paths).map((image) => ({ ...image, read }));
  const outputs = new Outputs(options);
  const { formats, out } = options;
  await outputs.check(
    slides.flatMap(({ name }) => formats.map((format) => join(out, fileName(format, name)))),
  );
  await withFolderLock(out, async () => {
    await using ensemble = await RoutedEnsemble.load(options.model, {
      precision: options.precision,
      device: options.device,
    });
    checkForModel(ensemble, options);
    using stop = new StopSignals();
    const batch = await RunFiles.write(formats, out, outputs, (runFiles) =>
      segmentSlides(ensemble, slides, { flags: options, formats, outputs, runFiles, stop }),
    );
    reportBatch(batch, slides.length, stop, { keepsTiles: true });
  });
}
