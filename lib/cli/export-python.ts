import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { refuse } from '../check.js';
import { type EnsembleFile, readEnsembleFile, starterFolder } from '../inference/ensemble-file.js';
import { findModel } from '../inference/model-path.js';
import type { SegmentThresholds } from '../inference/thresholds.js';
import { Outputs } from '../outputs.js';
import { exportPython } from '../python/export-python.js';
import { scriptName } from '../python/load-part.js';
import { readConfig } from './convert.js';
import { type ForceFlag, fileWith, modelPath, withForce } from './options.js';
import { modelThresholdsOf, type ThresholdFlags, withModelThresholds } from './thresholds.js';

interface Flags extends ThresholdFlags, ForceFlag {
  out?: string | undefined;
  router?: boolean | undefined;
  config?: string | undefined;
}

/** Adds `cellroute export-python MODEL`. */
export function registerExportPython(program: Command): void {
  const command = program
    .command('export-python')
    .description('Write a Python script that rebuilds a network in torchvision and runs it on an image')
    .argument(
      '[model]',
      'segmenter or classifier (.safetensors), run folder, or ensemble folder (default: the starter ensemble)',
    )
    .option(
      '-o, --out <file>',
      'the script (default: the name of the model with .py, in the current folder)',
      fileWith('.py'),
    )
    .option(
      '--cell-type <type>',
      'of an ensemble with several segmenters, the one of this type with its thresholds',
    )
    .option('--router', 'of an ensemble folder, the classifier')
    .option(
      '--config <file>',
      'JSON file with values of the network configuration that override those stored',
    );
  withForce(withModelThresholds(command)).action(async (model: string | undefined, flags: Flags) => {
    const member = await memberOf(modelPath(model ?? starterFolder), flags);
    const thresholds = { ...member.thresholds, ...modelThresholdsOf(flags) };
    const out = flags.out ?? scriptName(basename(member.path));
    const script = await exportPython(member.path, {
      weights: pathFrom(out, member.path),
      script: basename(out),
      ...(Object.keys(thresholds).length > 0 && { thresholds }),
      ...(flags.config !== undefined && { config: await readConfig(flags.config) }),
    });
    await new Outputs(flags).write(out, script);
    console.log(`${out}: needs torch, torchvision, safetensors, tifffile, imagecodecs, pillow and numpy`);
  });
}

/** The weights file that the arguments name, and the thresholds that an ensemble has for it. */
async function memberOf(
  model: string,
  flags: Flags,
): Promise<{ path: string; thresholds?: SegmentThresholds | undefined }> {
  const { cellType, router } = flags;
  const found = await findModel(model);
  if (found.kind !== 'ensemble') {
    if (cellType !== undefined) throw refuse('--cell-type', 'none, as MODEL is one network', cellType);
    if (router) throw refuse('--router', 'none, as MODEL is one network', router);
    return { path: found.file, ...(found.kind === 'run' && { thresholds: found.thresholds }) };
  }
  const { folder } = found;
  const ensemble = await readEnsembleFile(folder);
  if (router) {
    if (cellType !== undefined) throw refuse('--cell-type', 'none beside --router', cellType);
    return { path: join(folder, ensemble.classifier) };
  }
  const { weights, thresholds } = segmenterOf(ensemble, cellType);
  return { path: join(folder, weights), thresholds };
}

function segmenterOf({ segmenters }: EnsembleFile, cellType: string | undefined) {
  const types = Object.keys(segmenters).filter((type) => segmenters[type]);
  const wanted = cellType ?? (types.length === 1 ? types[0]! : undefined);
  const entry = wanted === undefined ? undefined : segmenters[wanted];
  if (entry) return entry;
  throw refuse('--cell-type', `a type of the ensemble (${types.join(', ')}), or --router`, cellType);
}

/** Path of a file as seen from the folder of another, with slashes; absolute where there is none. */
const pathFrom = (script: string, file: string): string =>
  relative(dirname(resolve(script)), resolve(file))
    .split(sep)
    .join('/');
