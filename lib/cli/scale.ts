import { type Command, Option } from 'commander';
import { SCALE_RANGES } from '../inference/scale.js';
import { numberIn } from './options.js';

const { scale, diameter, pixelSize } = SCALE_RANGES;

/** Adds the options of every command that segments: {@link ScaleOptions} as flags. */
export function withScale(command: Command): Command {
  const factor = numberIn(scale.min, scale.max);
  const size = numberIn(pixelSize.min, pixelSize.max);
  // Each states the size of the cells.
  return command
    .addOption(
      new Option(
        '--scale <factor>',
        'show the images larger (above 1) or smaller to the network: 2 for cells half as large as those it was trained on; auto: decided for each image',
      )
        .argParser((text: string) => (text === 'auto' ? text : factor(text)))
        .conflicts(['diameter', 'pixelSize']),
    )
    .addOption(
      new Option('--diameter <pixels>', 'diameter of a typical cell in the images; sets the scale')
        .argParser(numberIn(diameter.min, diameter.max))
        .conflicts('pixelSize'),
    )
    .option(
      '--pixel-size <micrometres>',
      'micrometres per pixel of the images, or file for those that TIFF files state; sets the scale',
      (text: string) => (text === 'file' ? text : size(text)),
    );
}
