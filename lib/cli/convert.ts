import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { checkOneOf } from '../check.js';
import { CellrouteError } from '../errors.js';
import { CONVERT_DTYPES, type ConvertOptions, convertWeights } from '../weights/convert.js';

interface Flags {
  dtype?: string;
  config?: string;
  stripPrefix?: string;
}

/** Adds `cellroute convert IN OUT`. */
export function registerConvert(program: Command): void {
  program
    .command('convert')
    .description('Convert a weights file; the extension of OUT selects the format')
    .argument('<in>', 'torch checkpoint (.pth, .pt, .bin), safetensors file or fastai export (.pkl)')
    .argument('<out>', 'output file: .safetensors, .pth, .pt or .bin')
    .option('--dtype <type>', `write floating-point tensors as ${CONVERT_DTYPES.join(', ')}`)
    .option('--config <file>', 'JSON file with the network configuration, stored in the metadata')
    .option('--strip-prefix <text>', 'remove this prefix from tensor names, for example module.')
    .action(async (input: string, output: string, flags: Flags) => {
      const weights = await convertWeights(input, output, await optionsOf(flags));
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

async function readConfig(file: string): Promise<object> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new CellrouteError(
      'FILE_UNREADABLE',
      `${file}: ${(error as Error).message}`,
      { file },
      { cause: error },
    );
  }
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
