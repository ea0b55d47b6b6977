import { checkString } from '../check.js';
import { BoundedFile } from './bounded-file.js';
import { type Checkpoint, entryOf } from './checkpoint.js';
import { damaged, notWeights, refused } from './errors.js';
import { readFastaiExport } from './fastai.js';
import { isFastaiLearner, learnerModel } from './fastai-learner.js';
import { type Flattened, flatten } from './flatten.js';
import { FORMAT_BYTES, foreignFormat } from './foreign-files.js';
import { tensorBytes } from './layout.js';
import { moduleTensors } from './modules.js';
import { DETECTRON2_PICKLE, foreignObject } from './names.js';
import { readSafetensors } from './safetensors.js';
import type { TensorEntry, WeightsFile, WeightsFormat } from './table.js';
import { LEGACY_START, readTorchLegacy } from './torch-legacy.js';
import { readTorchZip } from './torch-zip.js';

const ZIP_START = Buffer.from('PK\x03\x04', 'latin1');
const PICKLE_START = 0x80;
const HEADER_START = 0x7b; // {

/**
 * Maximum ratio of the tensors' total size to the size of the file. Tensors may share a storage (tied weights), but the
 * memory needed for all of them must be justified by the size of the file.
 */
const MAX_SHARING = 8;
const ALWAYS_ALLOWED_BYTES = 1 << 20;

const FROM_TORCHSCRIPT =
  "python -c \"import torch; torch.save(torch.jit.load('in.pt', map_location='cpu').state_dict(), 'out.pth')\"";

/**
 * Reads the table of a weights file: a torch checkpoint (zip, or the format before PyTorch 1.6), a safetensors file or a
 * fastai export. Tensor data are not read, and nothing in the file is executed.
 *
 * @throws CellrouteError FILE_UNREADABLE; WEIGHTS_FORMAT if the file has none of these formats; WEIGHTS_DAMAGED if it is
 * truncated or inconsistent; WEIGHTS_REFUSED if it contains a call that is not known to create plain data (in a fastai
 * export such calls are skipped and listed), or something that is not supported.
 */
export async function openWeights(path: string): Promise<WeightsFile> {
  const weights = await inspectWeights(path);
  const [call] = weights.refused;
  if (call && weights.format !== 'fastai') {
    const network = weights.refused.map(({ what }) => foreignObject(what)).find((name) => name !== undefined);
    throw refused(
      { file: path, position: call.where },
      network !== undefined
        ? `it is a checkpoint of ${network}, whose networks cellroute does not run`
        : call.what.startsWith('__torch__.')
          ? `it is a TorchScript program, which is not run. To save its weights: ${FROM_TORCHSCRIPT}`
          : `it contains a call of ${call.what}; only files with plain data are loaded (save the model's state_dict())`,
    );
  }
  return weights;
}

/**
 * Reads the table of a file of weights: a torch checkpoint (zip, or the format before PyTorch 1.6), a safetensors
 * file or a fastai export. Tensor data are not read, and nothing in the file is executed: calls that a pickle asks for
 * and that are not known to create plain data are listed in `refused`.
 *
 * ```ts
 * const { format, tensors } = await inspectWeights('model.pth');
 * for (const { name, dtype, shape } of tensors) console.log(name, dtype, shape);
 * ```
 *
 * @param path of the file.
 * @throws {CellrouteError} INVALID_ARGUMENT; FILE_UNREADABLE; WEIGHTS_FORMAT where the file is none of these;
 *   WEIGHTS_DAMAGED where it is truncated or inconsistent; WEIGHTS_REFUSED where it contains something that is not
 *   supported.
 */
export async function inspectWeights(path: string): Promise<WeightsFile> {
  checkString('path', path);
  const file = await BoundedFile.open(path);
  try {
    const container = await sniff(file);
    if (container !== 'safetensors') {
      const checkpoint = await (container === 'torch-zip' ? readTorchZip(file) : readTorchLegacy(file));
      return await tableOf(checkpoint, container, file);
    }
    const table = await readSafetensors(file);
    return { path, format: container, size: file.size, ...table, prefix: '', others: [], refused: [] };
  } finally {
    await file.close();
  }
}

const NO_WEIGHTS = 'the file is neither a torch checkpoint, a safetensors file nor a fastai export';

async function sniff(file: BoundedFile): Promise<Exclude<WeightsFormat, 'fastai'>> {
  const start = await file.bytes(0, Math.min(file.size, FORMAT_BYTES));
  if (start.subarray(0, 4).equals(ZIP_START)) return 'torch-zip';
  if (start.subarray(0, LEGACY_START.length).equals(LEGACY_START)) return 'torch-legacy';
  const foreign = foreignFormat(file.path, start);
  if (foreign !== undefined) throw notWeights({ file: file.path }, `${NO_WEIGHTS}: it is ${foreign}`);
  if (start[8] === HEADER_START || (file.path.endsWith('.safetensors') && start.length >= 8))
    return 'safetensors';
  const what =
    start.length === 0
      ? 'the file is empty'
      : start[0] === PICKLE_START
        ? await barePickle(file)
        : NO_WEIGHTS;
  throw notWeights({ file: file.path, position: 0 }, what);
}

/** Describes a bare pickle. Detectron2's model zoo has bare pickles of NumPy arrays. */
async function barePickle(file: BoundedFile): Promise<string> {
  const start = await file.bytes(0, Math.min(file.size, 1 << 16));
  return DETECTRON2_PICKLE.test(start.toString('latin1'))
    ? 'the file is a pickle of detectron2, whose networks are not supported'
    : 'the file is a bare or truncated pickle, not a torch checkpoint';
}

async function tableOf(
  checkpoint: Checkpoint,
  container: WeightsFormat,
  file: BoundedFile,
): Promise<WeightsFile> {
  const { root, storage, skippedCalls, metadata } = checkpoint;
  const where = { file: file.path };
  const learner = isFastaiLearner(root) ? root : undefined;
  const found: Flattened = learner
    ? { tensors: moduleTensors(learnerModel(learner, file.path), where), prefix: '', others: [] }
    : flatten(root, where);
  const tensors = found.tensors.map(([name, tensor]) => entryOf(name, tensor, storage(tensor.storage), file));
  checkNames(tensors, file.path);
  checkTotal(tensors, file);
  return {
    path: file.path,
    format: learner ? 'fastai' : container,
    size: file.size,
    tensors,
    metadata,
    prefix: found.prefix,
    others: found.others,
    refused: [...skippedCalls.values()],
    ...(learner && { fastai: await readFastaiExport(learner, checkpoint, file) }),
  };
}

function checkNames(tensors: TensorEntry[], file: string): void {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (seen.has(name)) throw damaged({ file }, `two tensors have the name ${name}`);
    seen.add(name);
  }
}

function checkTotal(tensors: TensorEntry[], { path, size }: BoundedFile): void {
  const total = tensors.reduce((sum, entry) => sum + tensorBytes(entry), 0);
  if (total > MAX_SHARING * size + ALWAYS_ALLOWED_BYTES) {
    throw refused({ file: path }, `its tensors would take ${total} bytes, but the file has ${size}`);
  }
}
