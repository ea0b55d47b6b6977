import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CellClassifier } from '../classifier.js';
import { readEnsembleFile, starterFolder } from '../ensemble-file.js';
import { eachPicture, reportBatch } from './batch.js';
import { findPictures } from './pictures.js';

interface Options {
  model: string;
  json?: boolean;
}

export function registerClassify(program: Command): void {
  program
    .command('classify')
    .description('Names the cell type of pictures')
    .argument('<pictures...>', 'pictures, or folders of pictures')
    .option(
      '-m, --model <path>',
      'an ensemble folder, or a classifier file (safetensors, torch, fastai .pkl)',
      starterFolder,
    )
    .option('--json', 'print one JSON object a picture')
    .action(async (paths: string[], options: Options) => {
      const pictures = await findPictures(paths);
      await using classifier = await CellClassifier.load(await classifierPath(options.model));
      const batch = await eachPicture(pictures, (bytes, _picture, signal) =>
        classifier.classify(bytes, { signal }),
      );
      for (const { picture, result } of batch.done) {
        const { label, probabilities } = result;
        const parts = Object.entries(probabilities).map(([name, value]) => `${name} ${value.toFixed(4)}`);
        console.log(
          options.json
            ? JSON.stringify({ picture: picture.path, label, probabilities })
            : `${picture.fileName}: ${label} (${parts.join(', ')})`,
        );
      }
      reportBatch(batch, pictures.length);
    });
}

/** The classifier of an ensemble folder, or the file itself. */
export async function classifierPath(path: string): Promise<string> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory();
  return isFolder ? join(path, (await readEnsembleFile(path)).classifier) : path;
}
