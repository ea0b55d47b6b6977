import type { Command } from 'commander';
import type { DatasetSummary, ImagesSummary } from '../data/summary.js';
import { columns } from './columns.js';
import { addDatasetOptions, type DatasetFlags, datasetForms, openWithFlags } from './dataset-options.js';
import { numberIn } from './options.js';

interface Flags extends DatasetFlags {
  detectionsPerImage?: number | undefined;
  json?: boolean | undefined;
}

/** Adds `cellroute dataset summary PATH`. */
export function registerDatasetSummary(dataset: Command): void {
  const command = dataset
    .command('summary')
    .description('Count images and cells by type and size; list the densest image and unusable entries')
    .argument('<path>', datasetForms);
  addDatasetOptions(command)
    .option(
      '--detections-per-image <number>',
      'detection limit of the network: warn about images with more cells',
      numberIn(1, 1e9, { integer: true }),
    )
    .option('--json', 'print JSON, including all unusable entries')
    .action(async (path: string, flags: Flags) => {
      const { detectionsPerImage, json } = flags;
      const opened = await openWithFlags(path, flags);
      const summary = opened.summary({ detectionsPerImage });
      const { problems, notices } = opened;
      console.log(
        json ? JSON.stringify({ ...summary, problems, notices }, null, 2) : listing(summary).join('\n'),
      );
    });
}

const MAX_SIZES = 10;

function listing(summary: DatasetSummary): string[] {
  const { images, cells, sizes, imagesWithoutCells, densest, classNames, warnings } = summary;
  const lines = [
    ...columns([
      ['images', count(images)],
      ['cells', count(cells)],
      ['images without cells', count(imagesWithoutCells)],
      ...(densest ? [['densest image', `${densest.id}, ${count(densest.cells)} cells`]] : []),
      ['classes of cells', classNames.join(', ')],
    ]),
    '',
    'Cells per image',
    ...columns([
      ['type', 'images', 'cells', 'min', 'median', 'mean', 'max'],
      ...rows(summary, ({ images: of, cells: all, cellsPerImage: { min, median, mean, max } }) => [
        of,
        all,
        min,
        median,
        mean,
        max,
      ]),
    ]),
    '',
    'Pixels per cell',
    ...columns([
      ['type', 'min', '5 %', '25 %', 'median', '75 %', '95 %', 'max'],
      ...rows(summary, ({ cellArea: area }) =>
        area ? [area.min, area.p5, area.p25, area.median, area.p75, area.p95, area.max] : [],
      ),
    ]),
    '',
    'Sizes',
    ...columns([
      ['width', 'height', 'images'],
      ...sizes.slice(0, MAX_SIZES).map(({ width, height, images: of }) => [width, height, of].map(String)),
    ]),
  ];
  if (sizes.length > MAX_SIZES) lines.push(`  and ${sizes.length - MAX_SIZES} more sizes`);
  if (summary.notices > 0) lines.push('', `Skipped intentionally: ${count(summary.notices)}`);
  if (warnings.length > 0) lines.push('', ...warnings.map((warning) => `Warning: ${warning}`));
  return lines;
}

/** One row per type, and a row for all images if there is more than one type. */
function rows(summary: DatasetSummary, numbers: (of: ImagesSummary) => number[]): string[][] {
  const all = summary.cellTypes.length > 1 ? [{ ...summary, cellType: 'all' }] : [];
  return [...summary.cellTypes, ...all].map((of) => [of.cellType ?? '(none)', ...numbers(of).map(count)]);
}

/** Rounded to one decimal. */
const count = (value: number) => String(Math.round(value * 10) / 10);
