import { type Command, Option } from 'commander';
import { checkOneOf } from '../check.js';
import type { RoutedEnsemble, RoutedSegmentOptions } from '../inference/ensemble.js';
import { checkTrainedSize, type ScaleOptions, scaleOptionsIn } from '../inference/scale.js';
import {
  type OverlapRemoval,
  REMOVE_OVERLAPS,
  type SegmentThresholds,
  THRESHOLD_NAMES,
  type ThresholdName,
  thresholdSpec,
  thresholdsFrom,
} from '../inference/thresholds.js';
import type { Tiles } from '../inference/tiles.js';
import { numberIn, tilesOf } from './options.js';
import { withScale } from './scale.js';

/**
 * Checks once, before images are segmented, what would fail for each of them.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for a type that the ensemble does not have, and for a size of cells of which no
 *   segmenter knows the one that it was trained on.
 */
export function checkForModel({ cellTypes, segmenters }: RoutedEnsemble, flags: ThresholdFlags): void {
  if (flags.cellType !== undefined) checkOneOf('--cell-type', flags.cellType, cellTypes);
  const configs = Object.values(segmenters).flatMap((segmenter) => (segmenter ? [segmenter.config] : []));
  checkTrainedSize(configs, flags);
}

/** Values of the options added by {@link withThresholds}; numeric thresholds have the names of their flags. */
export interface ThresholdFlags extends ScaleOptions {
  cellType?: string | undefined;
  removeOverlaps?: number | boolean | undefined;
  tiles?: Tiles | undefined;
  [flag: string]: unknown;
}

/** Thresholds for a table: `minScore 0.8, removeOverlaps 0.2, rpn.preNmsTopN 2000`. */
export const thresholdsPhrase = (thresholds: SegmentThresholds): string =>
  Object.entries(thresholds)
    .flatMap(([name, value]) => {
      if (typeof value !== 'object') return [`${name} ${value}`];
      if (name === 'removeOverlaps') return [`${name} ${(value as { maxLost: number }).maxLost}`];
      return Object.entries(value).map(([below, one]) => `${name}.${below} ${one}`);
    })
    .join(', ');

/** `rpn.preNmsTopN` is `--rpn-pre-nms-top-n`. */
export const flagOf = (name: string) =>
  `--${name
    .replaceAll(/\.?([A-Z])/g, '-$1')
    .replaceAll('.', '-')
    .toLowerCase()}`;

/** The name that commander gives the flag's value. */
const keyOf = (name: ThresholdName) => new Option(flagOf(name)).attributeName();

const sentence = (text: string) => `${text[0]!.toLowerCase()}${text.slice(1).replace(/\.$/, '')}`;

/** `--remove-overlaps` with the description and range of the threshold table. */
export const removeOverlapsOption = (defaultText: string) =>
  new Option(
    `${flagOf('removeOverlaps')} [share]`,
    `each pixel belongs to the cell with the highest score; with a share, drop cells that lose more than it, 0 to 1 (default: ${defaultText})`,
  ).argParser(numberIn(REMOVE_OVERLAPS.range.min, REMOVE_OVERLAPS.range.max));

/** Adds an option per threshold. */
export function withModelThresholds(command: Command): Command {
  for (const name of THRESHOLD_NAMES) {
    const { range, unit, description, defaultText } = thresholdSpec(name);
    const isShare = range.max === 1;
    command.addOption(
      new Option(
        `${flagOf(name)} <${isShare ? 'number' : unit}>`,
        `${sentence(description)}${isShare ? '; 0 to 1' : ''} (default: ${defaultText}, or the ensemble's)`,
      ).argParser(numberIn(range.min, range.max, { integer: range.integer ?? false })),
    );
  }
  return command.addOption(removeOverlapsOption("overlaps stay, or the ensemble's"));
}

/** Adds the options of every command that segments. */
export function withThresholds(command: Command): Command {
  command.option('--cell-type <type>', 'segment as this type instead of the predicted one');
  return withScale(withModelThresholds(command)).option(
    '--tiles <mode>',
    'split images into tiles: auto (above 2048 x 2048 pixels), off, SIZE or SIZE,OVERLAP in pixels (default: auto)',
    tilesOf,
  );
}

/** The thresholds that the flags set. */
export function modelThresholdsOf(flags: ThresholdFlags): SegmentThresholds {
  const { removeOverlaps } = flags;
  const given = THRESHOLD_NAMES.flatMap((name) => {
    const value = flags[keyOf(name)];
    return value === undefined ? [] : [[name, value as number] as const];
  });
  return {
    ...thresholdsFrom(given),
    ...(removeOverlaps !== undefined && { removeOverlaps: overlapRemoval(removeOverlaps) }),
  };
}

/** The options of `segment` that the flags set. */
export function thresholdsOf(flags: ThresholdFlags): RoutedSegmentOptions {
  const { cellType, tiles } = flags;
  return { ...modelThresholdsOf(flags), ...scaleOptionsIn(flags), cellType, tiles };
}

/** Parses the value of `--remove-overlaps [share]`. */
export const overlapRemoval = (value: number | boolean): OverlapRemoval =>
  typeof value === 'number' ? { maxLost: value } : value;
