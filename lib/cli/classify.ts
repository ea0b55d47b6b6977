import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CellClassifier } from '../inference/classifier.js';
import { readEnsembleFile, starterFolder } from '../inference/ensemble-file.js';
import { eachImage, reportBatch } from './batch.js';
import { findImages } from './images.js';

interface Options {
  model: string;
  json?: boolean;
}

export function registerClassify(program: Command): void {
  program
    .command('classify')
    .description('Classify images by cell type')
    .argument('<images...>', 'image files or folders of images')
    .option(
      '-m, --model <path>',
      'ensemble folder, or classifier file (safetensors, torch, fastai .pkl)',
      starterFolder,
    )
    .option('--json', 'print one JSON object per image')
    .action(async (paths: string[], options: Options) => {
      const images = await findImages(paths);
      await using classifier = await CellClassifier.load(await classifierPath(options.model));
      const batch = await eachImage(images, classifier.device, (bytes, _image, signal) =>
        classifier.classify(bytes, { signal }),
      );
      for (const { image, result } of batch.done) {
        const { cellType, probabilities } = result;
        const parts = Object.entries(probabilities).map(([name, value]) => `${name} ${value.toFixed(4)}`);
        console.log(
          options.json
            ? JSON.stringify({ image: image.path, cellType, probabilities })
            : `${image.fileName}: ${cellType} (${parts.join(', ')})`,
        );
      }
      reportBatch(batch, images.length);
    });
}

/** Path of the classifier: the one inside an ensemble folder, or the given file. */
export async function classifierPath(path: string): Promise<string> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory();
  return isFolder ? join(path, (await readEnsembleFile(path)).classifier) : path;
}
