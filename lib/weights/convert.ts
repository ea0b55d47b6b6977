import type { FloatType } from './convert-dtype.js';
import { openWeights } from './open.js';
import { TensorReader } from './read-tensor.js';
import { sourceOfEntry } from './source.js';
import type { WeightsFile } from './table.js';
import { writeWeights } from './write.js';

export interface ConvertOptions {
  /** What floating-point tensors are written as; default: what they are. */
  floats?: FloatType;
  /** Taken off the names that start with it, such as the `module.` of PyTorch's DataParallel. */
  stripPrefix?: string;
  /** Added to the texts kept beside the tensors; replaces those of the same name. */
  metadata?: Readonly<Record<string, string>>;
}

/** Metadata key under which what a fastai export says beside its tensors travels, as JSON. */
export const FASTAI_KEY = 'cellroute.fastai';

/**
 * Writes one file's tensors into another, whose format its name says; metadata travel along.
 *
 * @returns the table of the file that was read
 * @throws CellrouteError as openWeights and writeWeights do
 */
export async function convertWeights(
  input: string,
  output: string,
  { floats, stripPrefix = '', metadata = {} }: ConvertOptions = {},
): Promise<WeightsFile> {
  const weights = await openWeights(input);
  const reader = await TensorReader.open(input);
  const stripped = (name: string) => (name.startsWith(stripPrefix) ? name.slice(stripPrefix.length) : name);
  try {
    await writeWeights(output, {
      tensors: weights.tensors.map((entry) => sourceOfEntry(reader, entry, stripped(entry.name))),
      metadata: {
        ...weights.metadata,
        ...(weights.fastai && { [FASTAI_KEY]: JSON.stringify(weights.fastai) }),
        ...metadata,
      },
      ...(floats && { floats }),
    });
  } finally {
    await reader.close();
  }
  return weights;
}
