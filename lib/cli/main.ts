#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { CellrouteError } from '../errors.js';
import { packageRoot } from '../native/find.js';
import { registerClassify } from './classify.js';
import { registerConvert } from './convert.js';
import { registerDataset } from './dataset.js';
import { registerDoctor } from './doctor.js';
import { registerEvaluate } from './evaluate.js';
import { registerExplain } from './explain.js';
import { registerInspect } from './inspect.js';
import { registerReport } from './report.js';
import { registerSegment } from './segment.js';
import { registerTrain } from './train.js';
import { registerTune } from './tune.js';

const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  version: string;
};

const program = new Command('cellroute')
  .description(
    'Finds and outlines every cell in microscope images: a router names the cell type,\nand the Mask R-CNN trained for that type segments the cells.',
  )
  .version(version)
  .showHelpAfterError('(cellroute --help shows what there is)')
  .addHelpText(
    'after',
    `
Start here:
  cellroute doctor                                   Does everything work on this machine?
  cellroute segment images/*.png --out results     Outline the cells with the starter ensemble
  cellroute inspect model.pth                        What is in this file of weights?`,
  );

registerSegment(program);
registerReport(program);
registerClassify(program);
registerEvaluate(program);
registerExplain(program);
registerTrain(program);
registerTune(program);
registerInspect(program);
registerConvert(program);
registerDataset(program);
registerDoctor(program);

program.parseAsync().catch((error: unknown) => {
  // What a person can act on is one message; anything else is our mistake and keeps its stack.
  console.error(error instanceof CellrouteError ? `cellroute: ${error.message} [${error.code}]` : error);
  process.exitCode = 1;
});
