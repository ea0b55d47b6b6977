import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { checkOneOf } from '../check.js';
import { CONFIG_KEY } from '../config/stored.js';
import { CellrouteError } from '../errors.js';
import { type ConvertOptions, convertWeights } from '../weights/convert.js';
import type { FloatType } from '../weights/convert-dtype.js';

const FLOATS: Readonly<Record<string, FloatType>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' };

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
    .option('--dtype <type>', `write floating-point tensors as ${Object.keys(FLOATS).join(', ')}`)
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
  const floats = dtype === undefined ? undefined : FLOATS[checkOneOf('--dtype', dtype, Object.keys(FLOATS))];
  return {
    ...(floats && { floats }),
    ...(stripPrefix !== undefined && { stripPrefix }),
    ...(config !== undefined && { metadata: { [CONFIG_KEY]: await readConfig(config) } }),
  };
}

/** The configuration file as JSON without whitespace. */
async function readConfig(file: string): Promise<string> {
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
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new CellrouteError(
      'INVALID_CONFIG',
      `${file} is not JSON: ${(error as Error).message}`,
      { file },
      { cause: error },
    );
  }
}
