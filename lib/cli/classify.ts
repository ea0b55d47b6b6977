import type { Command } from 'commander';
import { CellClassifier } from '../inference/classifier.js';
import { eachImage, reportBatch } from './batch.js';
import { findImages } from './images.js';
import { classifierOption } from './options.js';
import { pagesOf, printNotices, type ReadFlags, withAllPages } from './read-options.js';
import { StopSignals } from './stop-signals.js';

interface Options extends ReadFlags {
  model: string;
  json?: boolean | undefined;
}

export function registerClassify(program: Command): void {
  const command = program
    .command('classify')
    .description('Classify images by cell type')
    .argument('<images...>', 'image files or folders of images')
    .addOption(classifierOption())
    .option('--json', 'print one JSON object per image');
  withAllPages(command).action(async (paths: string[], options: Options) => {
    const images = await pagesOf(await findImages(paths), options);
    await using classifier = await CellClassifier.load(options.model);
    using stop = new StopSignals();
    const batch = await eachImage(images, {
      device: classifier.device,
      stop,
      work: (bytes, { read }, signal) => classifier.classify(bytes, { ...read, signal }),
      take: (_, result) => result,
    });
    for (const { image, result } of batch.done) {
      const { cellType, probabilities } = result;
      const parts = Object.entries(probabilities).map(([name, value]) => `${name} ${value.toFixed(4)}`);
      console.log(
        options.json
          ? JSON.stringify({ image: image.path, cellType, probabilities })
          : `${image.fileName}: ${cellType} (${parts.join(', ')})`,
      );
    }
    for (const { image, result } of batch.done) printNotices(image, result.notices);
    reportBatch(batch, images.length, stop);
  });
}
