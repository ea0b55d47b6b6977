import { checkOneOf, checkOptions, checkString } from '../check.js';
import type { ClassifierConfig } from '../config/classifier.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import { CONFIG_KEY } from '../config/stored.js';
import { CellrouteError } from '../errors.js';
import type { LoadReport, NativeAddon, NativeCall, NativeLoaded, NativeWeights } from '../native/contract.js';
import { type CallOptions, type ExecutionTarget, runJob } from '../native/job.js';
import { call, native } from '../native/load.js';
import { foreignNetwork, withoutWrappers } from '../weights/names.js';
import { openWeights } from '../weights/open.js';
import type { WeightsFile } from '../weights/table.js';
import { writeWeights } from '../weights/write.js';
import { LoadedModel } from './model.js';

/** Options of `save`. */
export interface SaveOptions {
  /** Type of the floating-point tensors in the file. Default `float32`. The network always computes in float32. */
  dtype?: 'float32' | 'float16' | undefined;
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
  return new LoadedModel(name, model, place);
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
    keys: file.format === 'fastai' ? 'fastai' : 'torchvision',
  };
}

/** Error for a file with tensors that do not fit; undefined if all fit. */
export function mismatchOf(file: WeightsFile, report: LoadReport): CellrouteError | undefined {
  const total = report.loaded.length + report.unexpected.length + report.mismatched.length;
  return misfit(
    file,
    report,
    `does not fit this network (${report.loaded.length} of its ${total} tensors do)`,
    'The config option describes the network; `cellroute inspect` lists what the file holds.',
  );
}

/** The error for what of a file does not fit, listed by name; undefined where there is nothing. */
export function misfit(
  file: WeightsFile,
  { missing, mismatched, unexpected }: Pick<LoadReport, 'missing' | 'mismatched' | 'unexpected'>,
  summary: string,
  remedy: string,
): CellrouteError | undefined {
  const trouble = [
    ...missing.map((key) => `${key} is missing`),
    ...mismatched,
    ...unexpected.map((key) => `${key} is not part of the network`),
  ];
  if (trouble.length === 0) return undefined;
  const shown = trouble.slice(0, 8);
  const rest = trouble.length - shown.length;
  return new CellrouteError(
    'WEIGHTS_MISMATCH',
    `${file.path} ${summary}:\n` +
      `${shown.map((line) => `  - ${line}`).join('\n')}${rest > 0 ? `\n  - and ${rest} more` : ''}\n${remedy}`,
    { file: file.path },
  );
}

/** Writes a network. safetensors files also contain its configuration; torch checkpoints cannot. */
export async function saveNetwork(
  path: string,
  model: LoadedModel,
  config: MaskRCNNConfig | ClassifierConfig,
  options: SaveOptions,
): Promise<void> {
  checkString('path', path);
  checkOptions(options, ['dtype']);
  const dtype = checkOneOf('dtype', options.dtype ?? 'float32', ['float32', 'float16']);
  const tensors = call(() => native().listTensors(model.handle)).map((tensor) => ({
    ...tensor,
    // One tensor at a time, so that no second copy of the network is in memory.
    read: () => model.run({}, (handle, nativeCall) => native().readTensor(handle, tensor.name, nativeCall)),
  }));
  await writeWeights(path, {
    tensors,
    metadata: { [CONFIG_KEY]: JSON.stringify(config) },
    floats: dtype === 'float16' ? 'F16' : 'F32',
  });
}
