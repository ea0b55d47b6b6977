import type { SignalOptions } from '../abort.js';
import { checkObject, checkOneOf, checkOptions, checkString, refuse } from '../check.js';
import { CONFIG_KEY, FASTAI_KEY } from '../config/stored.js';
import { FLOAT_TYPES } from './convert-dtype.js';
import { openWeights } from './open.js';
import { TensorReader } from './read-tensor.js';
import { sourceOfEntry } from './source.js';
import type { WeightsFile } from './table.js';
import { writeWeights } from './write.js';

/** Options of {@link convertWeights}. */
export interface ConvertOptions extends SignalOptions {
  /** Type of the floating-point tensors in the output. Default: unchanged. */
  dtype?: 'float32' | 'float16' | 'bfloat16' | undefined;
  /** Prefix that is removed from tensor names, such as `module.` of PyTorch's DataParallel. */
  stripPrefix?: string | undefined;
  /** Configuration of the network, stored in the output's metadata; see maskRCNNConfig and classifierConfig. */
  config?: object | undefined;
  /** Additional metadata of the output. They replace entries with the same name. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

/** Every value of the `dtype` option. */
export const CONVERT_DTYPES = Object.keys(FLOAT_TYPES) as (keyof typeof FLOAT_TYPES)[];

/**
 * Converts a weights file. The format of the output follows from its extension: .safetensors, or .pth, .pt, .bin for
 * torch. Metadata are kept.
 *
 * @returns the table of the input.
 * @throws {CellrouteError} INVALID_ARGUMENT, FILE_UNREADABLE, FILE_UNWRITABLE, WEIGHTS_FORMAT, WEIGHTS_DAMAGED,
 *   WEIGHTS_REFUSED; an abort rejects with `signal.reason`, and `output` stays as it was.
 */
export async function convertWeights(
  input: string,
  output: string,
  options: ConvertOptions = {},
): Promise<WeightsFile> {
  checkOptions(options, ['dtype', 'stripPrefix', 'config', 'metadata', 'signal']);
  const { dtype, stripPrefix = '', config, metadata = {}, signal } = options;
  const floats = dtype === undefined ? undefined : FLOAT_TYPES[checkOneOf('dtype', dtype, CONVERT_DTYPES)];
  if (stripPrefix !== '') checkString('stripPrefix', stripPrefix);
  const storedConfig = config === undefined ? undefined : jsonOf('config', checkObject('config', config));
  for (const [key, value] of Object.entries(checkObject('metadata', metadata))) {
    if (typeof value !== 'string') throw refuse(`metadata.${key}`, 'a string', value);
  }
  const weights = await openWeights(checkString('input', input));
  const reader = await TensorReader.open(input);
  const stripped = (name: string) => (name.startsWith(stripPrefix) ? name.slice(stripPrefix.length) : name);
  try {
    await writeWeights(checkString('output', output), {
      tensors: weights.tensors.map((entry) => sourceOfEntry(reader, entry, stripped(entry.name))),
      metadata: {
        ...weights.metadata,
        ...(weights.fastai && { [FASTAI_KEY]: JSON.stringify(weights.fastai) }),
        ...(storedConfig !== undefined && { [CONFIG_KEY]: storedConfig }),
        ...metadata,
      },
      floats,
      signal,
    });
  } finally {
    await reader.close();
  }
  return weights;
}

function jsonOf(option: string, value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    // A cycle, or a bigint.
    throw refuse(option, 'an object that JSON can represent', value);
  }
}
