import type { Command } from 'commander';
import { checkObject, checkOneOf } from '../check.js';
import { classifierConfig } from '../config/classifier.js';
import { maskRCNNConfig } from '../config/mask-rcnn.js';
import type { Dataset } from '../data/dataset.js';
import { type LoaderOptions, SegmentLoader, withOutput } from '../data/loader.js';
import { random } from '../data/random.js';
import { CellrouteError } from '../errors.js';
import { Outputs } from '../outputs.js';
import { renderContactSheet, type SheetTile } from '../render/contact-sheet.js';
import { cellsPhrase } from '../render/title.js';
import { classifierTraining, segmenterTraining } from '../trainer/config.js';
import { readConfigFile } from '../trainer/config-file.js';
import { loaderOptions } from '../trainer/native-training.js';
import { readTransforms } from '../transforms/index.js';
import { addDatasetOptions, type DatasetFlags, datasetForms, openWithFlags } from './dataset-options.js';
import { fileWith, numberIn, withForce } from './options.js';

interface Flags extends DatasetFlags {
  out: string;
  config?: string | undefined;
  transforms?: string | undefined;
  rows: number;
  samples: number;
  ids?: string[] | undefined;
  seed?: number | undefined;
  tile: number;
  force?: boolean | undefined;
}

/** Adds `cellroute dataset preview PATH`. */
export function registerDatasetPreview(dataset: Command): void {
  const whole = { integer: true };
  const command = dataset
    .command('preview')
    .description('Draw training samples with cell outlines beside the original images')
    .argument('<path>', datasetForms);
  withForce(addDatasetOptions(command))
    .requiredOption('-o, --out <file>', 'output PNG', fileWith('.png'))
    .option('-c, --config <file>', 'training configuration: its transforms, seed and intensity rule are used')
    .option('--transforms <json>', 'JSON list of transforms, instead of a configuration')
    .option('--rows <number>', 'number of images, one per row', numberIn(1, 64, whole), 4)
    .option('--samples <number>', 'samples per image', numberIn(1, 32, whole), 4)
    .option('--ids <ids>', 'images to draw, comma-separated; default: random images', (text: string) =>
      text.split(','),
    )
    .option(
      '--seed <number>',
      'random seed for images and transforms',
      numberIn(0, Number.MAX_SAFE_INTEGER, whole),
    )
    .option('--tile <pixels>', 'longer side of a sample in the output', numberIn(32, 2048, whole), 320)
    .addHelpText(
      'after',
      `
Each row starts with the unmodified image. Example:
  cellroute dataset preview data --out sheet.png --transforms '[{"kind": "crop-and-upscale", "width": 128, "height": 128, "scale": 2}, {"kind": "quarter-turns"}]'`,
    )
    .action(preview);
}

async function preview(path: string, flags: Flags): Promise<void> {
  const outputs = new Outputs(flags);
  await outputs.check([flags.out]);
  const opened = await openWithFlags(path, flags);
  const asked = await optionsOf(opened, flags);
  const options = { ...asked, seed: flags.seed ?? asked.seed };
  const shuffled = random(options.seed, 'preview').shuffle(opened.items.map(({ id }) => id));
  const chosen = opened.filter({ ids: flags.ids ?? shuffled.slice(0, flags.rows) });
  const plain = await tilesOf(chosen, { ...options, transforms: [] }, 0);
  const columns = [plain];
  for (let i = 0; i < flags.samples; i++) columns.push(await tilesOf(chosen, options, i));
  const tiles = chosen.items.flatMap((_, row) => columns.map((column) => column[row]!));
  const sheet = await renderContactSheet(tiles, { columns: columns.length, tileSide: flags.tile });
  await outputs.write(flags.out, sheet);
  console.log(`${flags.out}: ${flags.samples} samples of each of ${chosen.items.length} images`);
}

/** One sample per image. */
async function tilesOf(chosen: Dataset, options: LoaderOptions, epoch: number): Promise<SheetTile[]> {
  const tiles: SheetTile[] = [];
  for await (const { samples, ids } of new SegmentLoader(chosen, options).batches(epoch)) {
    const [sample] = samples as [(typeof samples)[0]];
    tiles.push({ sample, title: `${cellsPhrase(sample.labels.length)} · ${ids[0]}` });
  }
  return tiles;
}

async function optionsOf(data: Dataset, { config, transforms }: Flags): Promise<LoaderOptions> {
  if (config !== undefined && transforms !== undefined) {
    throw new CellrouteError('INVALID_ARGUMENT', 'Options --config and --transforms cannot be combined', {
      option: '--transforms',
    });
  }
  const one = { batchSize: 1, shuffle: false };
  if (config !== undefined) {
    const file = await readConfigFile(config);
    return file.read((value) => ({ ...trainingOptions(value, data), ...one }));
  }
  const { intensity } = maskRCNNConfig();
  const given = segmenterTraining(
    transforms === undefined ? {} : { transforms: readTransforms(parsed(transforms), '--transforms') },
  );
  return { ...loaderOptions(given), intensity, ...one };
}

/** Loader options that match the trainer of the configuration's kind. */
function trainingOptions(value: unknown, data: Dataset): LoaderOptions {
  const kinds = ['segmenter-training', 'classifier-training'] as const;
  const given = checkObject('config', value, 'INVALID_CONFIG');
  const kind = checkOneOf('kind', given.kind ?? kinds[0], kinds, 'INVALID_CONFIG');
  if (kind === 'segmenter-training') {
    const training = segmenterTraining(given);
    const { intensity } = maskRCNNConfig(training.network, 'network');
    return { ...loaderOptions(training), intensity, minVisible: training.minVisible };
  }
  const training = classifierTraining(given);
  const { intensity, resize } = classifierConfig(
    { classNames: [...data.cellTypes], ...training.network },
    'network',
  );
  return { ...loaderOptions(training), intensity, transforms: withOutput(training.transforms, resize) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `--transforms is not JSON: ${(cause as Error).message}`;
    throw new CellrouteError('INVALID_CONFIG', message, { option: '--transforms' }, { cause });
  }
}
