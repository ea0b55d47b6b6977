import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { checkOneOf } from '../check.js';
import { CellrouteError } from '../errors.js';
import { unreadable } from '../file-errors.js';
import { findWeights } from '../inference/model-path.js';
import { Outputs } from '../outputs.js';
import { CONVERT_DTYPES, type ConvertOptions, convertWeights } from '../weights/convert.js';
import type { WeightsFile } from '../weights/table.js';
import { checkExtension } from '../weights/write.js';
import { StopSignals } from './stop-signals.js';

interface Flags {
  dtype?: string | undefined;
  config?: string | undefined;
  stripPrefix?: string | undefined;
  force?: boolean | undefined;
}

/** Adds `cellroute convert IN OUT`. */
export function registerConvert(program: Command): void {
  program
    .command('convert')
    .description('Convert a weights file; the extension of OUT selects the format')
    .argument(
      '<in>',
      'torch checkpoint (.pth, .pt, .bin), safetensors file or fastai export (.pkl), or the folder of a run',
    )
    .argument('<out>', 'output file: .safetensors, .pth, .pt or .bin')
    .option('--dtype <type>', `write floating-point tensors as ${CONVERT_DTYPES.join(', ')}`)
    .option('--config <file>', 'JSON file with the network configuration, stored in the metadata')
    .option('--strip-prefix <text>', 'remove this prefix from tensor names, for example module.')
    .option('--force', 'overwrite a file that cellroute did not write, or that was changed since')
    .action(async (input: string, output: string, flags: Flags) => {
      const outputs = new Outputs(flags);
      checkExtension('OUT', output);
      const options = await optionsOf(flags);
      let weights!: WeightsFile;
      using stop = new StopSignals();
      try {
        await outputs.place(output, async (path) => {
          weights = await convertWeights(await findWeights(input), path, { ...options, signal: stop.signal });
        });
      } catch (error) {
        if (!stop.caused(error)) throw error;
        stop.setExitCode();
        return;
      }
      console.log(`${output}: ${weights.tensors.length} tensors from ${input} (${weights.format})`);
      if (weights.others.length > 0)
        console.log(
          `not converted, because they are not tensors of the state dict: ${weights.others.length} entries`,
        );
    });
}

async function optionsOf({ dtype, config, stripPrefix }: Flags): Promise<ConvertOptions> {
  return {
    ...(dtype !== undefined && { dtype: checkOneOf('--dtype', dtype, CONVERT_DTYPES) }),
    ...(stripPrefix !== undefined && { stripPrefix }),
    ...(config !== undefined && { config: await readConfig(config) }),
  };
}

/** The content of a JSON file with a network configuration. */
export async function readConfig(file: string): Promise<object> {
  const text = await readFile(file, 'utf8').catch(unreadable(file));
  try {
    return JSON.parse(text) as object;
  } catch (error) {
    throw new CellrouteError(
      'INVALID_CONFIG',
      `${file} is not JSON: ${(error as Error).message}`,
      { file },
      { cause: error },
    );
  }
}
