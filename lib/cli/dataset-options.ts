import type { Command } from 'commander';
import type { Dataset } from '../data/dataset.js';
import { openDataset } from '../data/open.js';
import { problemLine } from '../data/problems.js';
import type { OpenDatasetOptions } from '../data/reader.js';

/** How every command that takes a data set is told what it is. */
export interface DatasetFlags {
  typeColumn?: string[];
  type?: string[];
  images?: string;
  categoriesAreTypes?: boolean;
}

export const datasetForms =
  "train.csv of the competition, COCO's .json, a folder with images, labels and index.csv, or a folder of such folders";

const names = (text: string) => text.split(',').map((name) => name.trim());

export function addDatasetOptions(command: Command): Command {
  return command
    .option(
      '--type-column <names>',
      'column with the cell type; of several, separated by commas, the first there is (default: type or cell_type)',
      names,
    )
    .option('--type <types>', 'use images of these cell types alone, by commas', names)
    .option('--images <folder>', 'where the images are, if not beside the truth')
    .option(
      '--categories-are-types',
      "COCO's categories are cell types of whole images, not classes of cells",
    );
}

/** Opens it, tells on stderr what of it cannot be used, and keeps the types that are asked for. */
export async function openWithFlags(path: string, flags: DatasetFlags): Promise<Dataset> {
  const { typeColumn, type, images, categoriesAreTypes } = flags;
  const options: OpenDatasetOptions = {
    ...(typeColumn && { typeColumn }),
    ...(images !== undefined && { images }),
    ...(categoriesAreTypes && { categories: 'types' }),
  };
  const dataset = await openDataset(path, options);
  tellProblems(dataset);
  return type ? dataset.filter({ types: type }) : dataset;
}

const MOST_TOLD = 20;

function tellProblems({ problems }: Dataset): void {
  if (problems.length === 0) return;
  console.error(`${problems.length} rows or images cannot be used and are left out:`);
  for (const problem of problems.slice(0, MOST_TOLD)) console.error(`- ${problemLine(problem)}`);
  if (problems.length > MOST_TOLD) console.error(`- and ${problems.length - MOST_TOLD} more`);
}
