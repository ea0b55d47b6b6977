import { extname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { refuse } from '../check.js';
import { explanationJson } from '../export/explanation-json.js';
import { explanationEnding } from '../export/file-names.js';
import { decodeImage } from '../image/decode.js';
import { CellClassifier } from '../inference/classifier.js';
import {
  EXPLAIN_METHODS,
  type ExplainMethod,
  type ExplainOptions,
  type Explanation,
} from '../inference/explanation.js';
import { Outputs } from '../outputs.js';
import type { RenderFormat } from '../render/encode.js';
import { renderHeatMap } from '../render/heat-map.js';
import { eachImage, reportBatch } from './batch.js';
import { findImages, type ImageFile } from './images.js';
import { classifierOption, type ForceFlag, numberIn, withForce, wordsOf } from './options.js';
import { type ReadFlags, readOptionsOf, withReadOptions } from './read-options.js';
import { StopSignals } from './stop-signals.js';

interface Options extends ForceFlag, ReadFlags {
  model: string;
  out: string;
  method: ExplainMethod[];
  target?: string | undefined;
  baseline?: 'mean' | 'black' | undefined;
  steps?: number | undefined;
  patch?: number | undefined;
  stride?: number | undefined;
  numbers?: boolean | undefined;
}

/** Supported extensions of a single heat map. */
const FORMATS: Readonly<Record<string, RenderFormat>> = {
  '.png': 'png',
  '.webp': 'webp',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
};

export function registerExplain(program: Command): void {
  const whole = { integer: true };
  const command = program
    .command('explain')
    .description('Show which parts of an image influenced its classification')
    .argument('<images...>', 'image files or folders of images')
    .requiredOption(
      '-o, --out <path>',
      'folder for the heat maps, or a .png, .webp or .jpg file for a single heat map',
    )
    .addOption(
      new Option('--method <list>', EXPLAIN_METHODS.join(', '))
        .argParser(wordsOf(EXPLAIN_METHODS))
        .default(['integrated-gradients'], 'integrated-gradients'),
    )
    .option('--target <type>', 'cell type to explain (default: the predicted one)')
    .option('--baseline <kind>', 'reference image: mean or black (default: mean)')
    .option(
      '--steps <number>',
      'number of steps of integrated-gradients (default: 32)',
      numberIn(1, 10_000, whole),
    )
    .option(
      '--patch <pixels>',
      'side of the occlusion square, in pixels of the network input (default: a seventh of its shorter side)',
      numberIn(1, 1 << 16, whole),
    )
    .option(
      '--stride <pixels>',
      'step of the occlusion square (default: half of --patch)',
      numberIn(1, 1 << 16, whole),
    )
    .option('--numbers', 'also write the values as JSON beside each heat map')
    .addOption(classifierOption());
  withReadOptions(withForce(command))
    .addHelpText(
      'after',
      `
Writes NAME.METHOD.png for each image: orange pixels support the cell type, blue pixels oppose it.`,
    )
    .action(explain);
}

async function explain(paths: string[], options: Options): Promise<void> {
  const images = await findImages(paths);
  const single = FORMATS[extname(options.out).toLowerCase()];
  if (single && images.length * options.method.length !== 1) {
    throw refuse('--out', 'a folder, because there are several heat maps', options.out);
  }
  const fileOf = ({ name }: ImageFile, method: ExplainMethod) =>
    single ? options.out : join(options.out, `${name}${explanationEnding(method)}`);
  const numbersOf = (file: string) => `${file.slice(0, -extname(file).length)}.json`;
  const outputs = new Outputs(options);
  const maps = images.flatMap((image) => options.method.map((method) => fileOf(image, method)));
  await outputs.check(options.numbers ? [...maps, ...maps.map(numbersOf)] : maps);
  await using classifier = await CellClassifier.load(options.model);
  using stop = new StopSignals();
  const batch = await eachImage(images, {
    device: classifier.device,
    stop,
    async work(bytes, source, signal) {
      const image = await decodeImage(bytes, { ...readOptionsOf(options), signal });
      const lines: string[] = [];
      for (const method of options.method) {
        const explanation = await classifier.explain(image, { ...explainOptions(options), method, signal });
        const file = fileOf(source, method);
        await outputs.write(
          file,
          await renderHeatMap(image, explanation, { format: single ?? 'png', signal }),
        );
        if (options.numbers) {
          await outputs.write(numbersOf(file), explanationJson(explanation));
        }
        lines.push(lineOf(explanation));
      }
      return lines;
    },
    take: (_, lines) => lines,
  });
  for (const { image, result } of batch.done) {
    for (const line of result) console.log(`${image.fileName}: ${line}`);
  }
  reportBatch(batch, images.length, stop);
}

function explainOptions({ target, baseline, steps, patch, stride }: Options): ExplainOptions {
  return { target, baseline, steps, patch, stride };
}

function lineOf({ method, target, probability, logits, baselineLogits, values }: Explanation): string {
  const line = `${target} (${probability.toFixed(3)}) by ${method}`;
  if (method !== 'integrated-gradients') return line;
  const sum = values.reduce((total, value) => total + value, 0);
  const difference = logits[target]! - baselineLogits[target]!;
  return `${line}, sum of values ${sum.toFixed(3)}, logit difference ${difference.toFixed(3)}`;
}
