import type { SignalOptions } from '../abort.js';
import { checkOneOf, checkOptions, checkString } from '../check.js';
import type { ClassifierConfig } from '../config/classifier.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import { CONFIG_KEY } from '../config/stored.js';
import { CellrouteError } from '../errors.js';
import type { LoadReport, NativeAddon, NativeCall, NativeLoaded, NativeWeights } from '../native/contract.js';
import { type CallOptions, type ExecutionTarget, runJob } from '../native/job.js';
import { call, native } from '../native/load.js';
import { FLOAT_TYPES, type FloatType } from '../weights/convert-dtype.js';
import { foreignNetwork, hasFastaiNames, withoutWrappers } from '../weights/names.js';
import { openWeights } from '../weights/open.js';
import { type TensorSource, withFloats } from '../weights/source.js';
import type { DType, WeightsFile } from '../weights/table.js';
import { writeWeights } from '../weights/write.js';
import { LoadedModel } from './model.js';

const SAVED_DTYPES = ['float32', 'float16'] as const;

/** Options of `save`. */
export interface SaveOptions extends SignalOptions {
  /**
   * Type of the floating-point tensors in the file. Default: each tensor has the type that it has in the file that the
   * network was loaded from; `float32` for float64 and for a network in training. The network computes in float32 or in its
   * `precision`, whatever the type in the file.
   */
  dtype?: (typeof SAVED_DTYPES)[number] | undefined;
}

type Load = (addon: NativeAddon, weights: NativeWeights, call: NativeCall) => Promise<NativeLoaded>;

/** Opens a file, creates the network that `prepare` chooses for it, and loads the tensors. */
export async function loadNetwork(
  path: string,
  name: string,
  options: CallOptions,
  place: ExecutionTarget,
  prepare: (file: WeightsFile) => Load,
): Promise<LoadedModel> {
  const { file, removed } = await openNetworkFile(path);
  if (removed !== '') reportRemoved(file.path, removed);
  const load = prepare(file);
  const { model, report } = await runJob(
    options,
    (nativeCall) => load(native(), nativeWeights(file), nativeCall),
    { place },
  );
  const mismatch = mismatchOf(file, report);
  if (mismatch) {
    call(() => native().releaseModel(model));
    throw mismatch;
  }
  return new LoadedModel(name, model, place, fileTypes(file, report));
}

/**
 * Number formats by the network's names of the tensors. The report has these in the order of the file, whose own names may be
 * older or fastai's. `num_batches_tracked`, an integer, may be missing on either side.
 */
function fileTypes({ tensors }: WeightsFile, { loaded }: LoadReport): Map<string, DType> {
  const isCounter = (name: string) => name.endsWith('num_batches_tracked');
  const stored = tensors.filter(({ name }) => !isCounter(name));
  const names = loaded.filter((name) => !isCounter(name));
  return new Map(names.map((name, i) => [name, stored[i]!.dtype]));
}

/**
 * Opens the weights of a network: names of tensors are without what a wrapper such as DataParallel put before all of
 * them, which is `removed`.
 *
 * @param foreign whether networks that are known and not run are refused by their names.
 * @throws {CellrouteError} what openWeights throws; WEIGHTS_MISMATCH for foreign networks.
 */
export async function openNetworkFile(
  path: string,
  foreign: 'refuse' | 'accept' = 'refuse',
): Promise<{ file: WeightsFile; removed: string }> {
  const file = await openWeights(checkString('path', path));
  const network = foreign === 'refuse' ? foreignNetwork(file.tensors.map(({ name }) => name)) : undefined;
  if (network === undefined) return withoutWrappers(file);
  throw new CellrouteError(
    'WEIGHTS_MISMATCH',
    `${file.path} contains weights of ${network}, which cellroute does not run: it runs torchvision's maskrcnn_resnet50_fpn (also with other ResNets) and ResNet classifiers`,
    { file: file.path, got: network },
  );
}

/** Reports a removed wrapper prefix. */
export function reportRemoved(path: string, removed: string): void {
  process.emitWarning(`${path}: the prefix '${removed}' was removed from the names of all tensors`, {
    type: 'CellrouteWarning',
    code: 'WEIGHTS_PREFIX',
  });
}

/** Converts a table for the addon. */
export function nativeWeights(file: WeightsFile): NativeWeights {
  return {
    path: file.path,
    tensors: file.tensors,
    keys: file.format === 'fastai' || hasFastaiNames(file.tensors) ? 'fastai' : 'torchvision',
  };
}

/** Error for a file with tensors that do not fit; undefined if all fit. */
export function mismatchOf(file: WeightsFile, report: LoadReport): CellrouteError | undefined {
  const total = report.loaded.length + report.unexpected.length + report.mismatched.length;
  return mismatchError(
    file,
    report,
    `does not fit this network (${report.loaded.length} of its ${total} tensors do)`,
    'The config option describes the network; `cellroute inspect` lists what the file holds.',
  );
}

/** The error about the tensors of a file that do not fit, listed by name; undefined if all fit. */
export function mismatchError(
  file: WeightsFile,
  { missing, mismatched, unexpected }: Pick<LoadReport, 'missing' | 'mismatched' | 'unexpected'>,
  summary: string,
  remedy: string,
): CellrouteError | undefined {
  const problems = [
    ...missing.map((key) => `${key} is missing`),
    ...mismatched,
    ...unexpected.map((key) => `${key} is not part of the network`),
  ];
  if (problems.length === 0) return undefined;
  const shown = problems.slice(0, 8);
  const rest = problems.length - shown.length;
  return new CellrouteError(
    'WEIGHTS_MISMATCH',
    `${file.path} ${summary}:\n` +
      `${shown.map((line) => `  - ${line}`).join('\n')}${rest > 0 ? `\n  - and ${rest} more` : ''}\n${remedy}`,
    { file: file.path },
  );
}

/** The tensors of a network, in float32. One at a time is read, so that no second copy of the network is in memory. */
export const networkTensors = (model: LoadedModel): TensorSource[] =>
  call(() => native().listTensors(model.handle)).map((tensor) => ({
    ...tensor,
    read: () => model.run({}, (handle, nativeCall) => native().readTensor(handle, tensor.name, nativeCall)),
  }));

/**
 * Writes a network. safetensors files also contain its configuration; torch checkpoints cannot.
 *
 * @param replaced tensors that are written unchanged instead of the network's tensors with the same names.
 */
export async function saveNetwork(
  path: string,
  model: LoadedModel,
  config: MaskRCNNConfig | ClassifierConfig,
  options: SaveOptions,
  replaced: readonly TensorSource[] = [],
): Promise<void> {
  checkString('path', path);
  checkOptions(options, ['dtype', 'signal']);
  const { dtype, signal } = options;
  if (dtype !== undefined) checkOneOf('dtype', dtype, SAVED_DTYPES);
  const floatsOf = (name: string): FloatType => {
    if (dtype !== undefined) return FLOAT_TYPES[dtype];
    const stored = model.fileTypes.get(name);
    return stored === 'F16' || stored === 'BF16' ? stored : 'F32';
  };
  const tensors = networkTensors(model).map(
    (tensor) =>
      replaced.find(({ name }) => name === tensor.name) ?? withFloats(tensor, floatsOf(tensor.name)),
  );
  await writeWeights(path, { tensors, metadata: { [CONFIG_KEY]: JSON.stringify(config) }, signal });
}
