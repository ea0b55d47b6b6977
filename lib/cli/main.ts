#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { CellrouteError } from '../errors.js';
import { packageVersion } from '../package-version.js';
import { registerClassify } from './classify.js';
import { registerConvert } from './convert.js';
import { registerDataset } from './dataset.js';
import { registerDoctor } from './doctor.js';
import { registerEnsemble } from './ensemble.js';
import { registerEvaluate } from './evaluate.js';
import { registerExplain } from './explain.js';
import { registerExportPython } from './export-python.js';
import { registerFinetune } from './finetune.js';
import { registerInspect } from './inspect.js';
import { registerReport } from './report.js';
import { registerReview } from './review.js';
import { registerSegment } from './segment.js';
import { registerSegmentSlide } from './segment-slide.js';
import { registerServe } from './serve.js';
import { registerSubmit } from './submit.js';
import { registerTrain } from './train.js';
import { registerTune } from './tune.js';
import { registerWorker } from './worker.js';

/** All commands. */
export const program = new Command('cellroute')
  .description(
    'Cell segmentation in microscope images: a classifier predicts the cell type of an image, and the Mask R-CNN for that type segments its cells.',
  )
  .version(packageVersion())
  .showHelpAfterError('(see cellroute --help)')
  // Commander throws instead of ending the process, also in the commands below: `main` sets the exit code.
  .exitOverride()
  .addHelpText(
    'after',
    `
Examples:
  cellroute doctor                                   Check the installation
  cellroute segment images/*.png --out results       Segment images with the starter ensemble
  cellroute inspect model.pth                        List the contents of a weights file`,
  );

registerSegment(program);
registerSegmentSlide(program);
registerReport(program);
registerClassify(program);
registerEvaluate(program);
registerExplain(program);
registerReview(program);
registerFinetune(program);
registerTrain(program);
registerTune(program);
registerEnsemble(program);
registerInspect(program);
registerConvert(program);
registerExportPython(program);
registerDataset(program);
registerDoctor(program);
registerServe(program);
registerWorker(program);
registerSubmit(program);

for (const command of program.commands) withOwnHelpHint(command, 'cellroute');

/** Names the help of a command after an error in its arguments, and its commands where it has some. */
function withOwnHelpHint(command: Command, parent: string): void {
  const name = `${parent} ${command.name()}`;
  const below = command.commands.map((one) => one.name());
  command.showHelpAfterError(
    `(${below.length > 0 ? `commands: ${below.join(', ')}; ` : ''}see ${name} --help)`,
  );
  for (const one of command.commands) withOwnHelpHint(one, name);
}

/** Runs one command line, without the names of Node.js and of the program. Prints a failure and sets the exit code. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed the help, the version or the failure.
      process.exitCode = error.exitCode;
      return;
    }
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

if (require.main === module) {
  // A reader that has seen enough closes the pipe: `cellroute --help | head`. Results in files are still written.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  void main(process.argv.slice(2));
}

/**
 * A CellrouteError, or an error of the system such as a full disk, has a message for the user. Any other error is a bug and
 * is printed with its stack.
 */
function messageOf(error: unknown): unknown {
  if (error instanceof CellrouteError) return `cellroute: ${error.message} [${error.code}]`;
  const { syscall, code, message } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall === undefined ? error : `cellroute: ${message} [${code}]`;
}
