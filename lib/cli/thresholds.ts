import type { Command } from 'commander';
import type { RoutedSegmentOptions } from '../inference/ensemble.js';
import type { Tiles } from '../inference/tiles.js';
import { numberIn, tilesOf } from './options.js';

/** What the options of {@link withThresholds} give. */
export interface ThresholdFlags {
  cellType?: string;
  minScore?: number;
  maskThreshold?: number;
  minArea?: number;
  removeOverlaps?: number | boolean;
  tiles?: Tiles;
}

/** The options of every command that segments. */
export function withThresholds(command: Command): Command {
  return command
    .option('--cell-type <type>', 'segment as this type, whatever the router says')
    .option('--min-score <number>', 'keep cells scoring above this, 0 to 1', numberIn(0, 1))
    .option(
      '--mask-threshold <number>',
      'pixels above this probability belong to a cell, 0 to 1',
      numberIn(0, 1),
    )
    .option('--min-area <pixels>', 'drop smaller cells', numberIn(0, 0xffffffff, { integer: true }))
    .option(
      '--remove-overlaps [share]',
      'give each pixel to one cell; drop cells that lost more than this share (0.2)',
      numberIn(0, 1),
    )
    .option(
      '--tiles <how>',
      'cut images into tiles: auto (those above 2048 x 2048 pixels), off, SIZE or SIZE,OVERLAP in pixels (default: auto)',
      tilesOf,
    );
}

export function thresholdsOf({
  cellType,
  minScore,
  maskThreshold,
  minArea,
  removeOverlaps,
  tiles,
}: ThresholdFlags): RoutedSegmentOptions {
  return {
    ...(cellType === undefined ? {} : { cellType }),
    ...(minScore === undefined ? {} : { minScore }),
    ...(maskThreshold === undefined ? {} : { maskThreshold }),
    ...(minArea === undefined ? {} : { minArea }),
    ...(removeOverlaps === undefined
      ? {}
      : {
          removeOverlaps: typeof removeOverlaps === 'number' ? { maxLost: removeOverlaps } : removeOverlaps,
        }),
    ...(tiles === undefined ? {} : { tiles }),
  };
}
