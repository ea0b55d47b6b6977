import { type Command, Option } from 'commander';
import { problemLines } from '../annotations/problems.js';
import type { Crowds } from '../annotations/types.js';
import type { ReviewSummary } from '../review/corrections.js';
import { REVIEW_FORMATS, type ReviewOptions } from '../review/options.js';
import { startReview } from '../review/review.js';
import { crowdsOption, namesOf } from './dataset-options.js';
import { type ForceFlag, numberIn, withForce } from './options.js';
import { type ReadFlags, readOptionsOf, withReadOptions } from './read-options.js';
import { StopSignals } from './stop-signals.js';

interface Flags extends ReadFlags, ForceFlag {
  out: string;
  images?: string | undefined;
  format: NonNullable<ReviewOptions['format']>;
  classes?: string[] | undefined;
  cellTypes?: string[] | undefined;
  categoriesAreCellTypes?: boolean | undefined;
  crowds?: Crowds | undefined;
  port: number;
}

/** Adds `cellroute review PATH`. */
export function registerReview(program: Command): void {
  const command = program
    .command('review')
    .description('Correct predictions in the browser, and write them as a data set for finetune')
    .argument('<path>', 'folder that `cellroute segment` wrote, COCO .json, label images or a data set')
    .requiredOption('-o, --out <folder>', 'folder of the corrected data set; a review there is resumed')
    .option('--images <folder>', 'folder of the images, if not beside the predictions')
    .addOption(
      new Option('--format <form>', 'form of the data set; labels have one class, and one cell per pixel')
        .choices(REVIEW_FORMATS)
        .default('coco'),
    )
    .option('--classes <names>', 'further classes of cells to choose from, comma-separated', namesOf)
    .option('--cell-types <names>', 'further cell types of images to choose from, comma-separated', namesOf)
    .option(
      '--categories-are-cell-types',
      'COCO categories are cell types of whole images, not classes of cells',
    )
    .addOption(crowdsOption())
    .option('-p, --port <number>', 'port; 0 takes a free one', numberIn(0, 65_535, { integer: true }), 0);
  withForce(withReadOptions(command))
    .addHelpText(
      'after',
      `
Prints the address of a page on this machine. Every change is saved at once; the same command resumes a review. Images that
are marked as reviewed are the data set. Example:
  cellroute segment my-images --out results
  cellroute review results --images my-images --out corrected
  cellroute finetune corrected --out my-model`,
    )
    .action(review);
}

async function review(path: string, flags: Flags): Promise<void> {
  const { out, images, format, classes, cellTypes, crowds, port, force } = flags;
  const stop = new StopSignals();
  try {
    const read = readOptionsOf(flags);
    const running = await startReview(path, {
      out,
      images,
      format,
      classes,
      cellTypes,
      crowds,
      port,
      force,
      signal: stop.signal,
      ...(flags.categoriesAreCellTypes && { categories: 'cell-types' }),
      ...read,
    });
    if (running.problems.length > 0) {
      const lines = problemLines(running.problems);
      console.error([`${running.problems.length} entries cannot be reviewed:`, ...lines].join('\n'));
    }
    console.log(`${running.images} images to review at ${running.url}`);
    console.log('Finish in the page, or press Ctrl-C here.');
    const summary = await running.finished;
    for (const line of linesOf(summary, Object.keys(read).length > 0)) console.log(line);
  } catch (error) {
    if (!stop.caused(error)) throw error;
    stop.setExitCode();
  } finally {
    stop.close();
  }
}

function linesOf(summary: ReviewSummary, hasReadOptions: boolean): string[] {
  const { out, images, reviewed, removed, changed, added, retyped, cells, unfinished } = summary;
  const types = retyped > 0 ? `; cell type changed in ${retyped}` : '';
  const lines = [
    `${reviewed} of ${images} images reviewed${types}. Cells: ${removed} removed, ${changed} changed, ${added} added`,
  ];
  if (unfinished.length > 0) {
    const names = unfinished.slice(0, 5).join(', ');
    const more = unfinished.length > 5 ? `, and ${unfinished.length - 5} more` : '';
    lines.push(`Changed but not marked as reviewed, and so not in ${out}: ${names}${more}`);
  }
  if (reviewed > 0) {
    const options = hasReadOptions ? ', with the same options for reading images' : '';
    lines.push(
      `${out}: ${cells} cells in ${reviewed} images. Next: cellroute finetune ${out} --out my-model${options}`,
    );
  }
  return lines;
}
