import { type Command, Option } from 'commander';
import { COLUMN_NAMES, type ColumnNames } from '../measure/columns.js';
import { numberIn } from './options.js';

/** Values of the options added by {@link withMeasurements}. */
export interface MeasurementFlags {
  columns: ColumnNames;
  outputPixelSize?: number | undefined;
}

/** Adds the options of every command that writes measurements. */
export const withMeasurements = (command: Command): Command =>
  command
    .addOption(
      new Option('--columns <program>', 'column names of tables of measurements')
        .choices(COLUMN_NAMES)
        .default('skimage'),
    )
    .option(
      '--output-pixel-size <micrometres>',
      'micrometres per pixel in outputs (default: --pixel-size, or what files state)',
      numberIn(0.000_001, 1_000_000),
    );
