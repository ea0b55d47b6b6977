import { cannotWrite } from '../file-errors.js';
import { writeAtomically } from './atomic.js';
import { tensorBytes } from './layout.js';
import { pickleStateDict } from './pickle/write.js';
import { bytesOf, checkUniqueNames, type TensorSource } from './source.js';
import { MAX_ARCHIVE_BYTES, MAX_ARCHIVE_ENTRIES, storedZip, type ZipContent } from './stored-zip.js';
import { METADATA_RECORD } from './torch-zip.js';

const ARCHIVE = 'archive';
/** Maximum size of the headers, names and padding of one entry. */
const ENTRY_OVERHEAD = 256;

/**
 * Writes a state dict for `torch.load(weights_only=True)`, also with `mmap=True`: an OrderedDict of tensors in the given
 * order, each in its own storage. Metadata are an entry that PyTorch ignores. The file is replaced atomically.
 *
 * @throws CellrouteError FILE_UNWRITABLE, also for more than 4 GiB (safetensors files have no such limit); `signal.reason` after an
 *   abort
 */
export async function writeTorchZip(
  path: string,
  sources: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<void> {
  checkUniqueNames(sources, path);
  const pickle = pickleStateDict(sources);
  const notes = Buffer.from(Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : '');
  const entries = sources.length + 4;
  const size = sources.reduce(
    (sum, source) => sum + tensorBytes(source),
    pickle.length + notes.length + entries * ENTRY_OVERHEAD,
  );
  if (size > MAX_ARCHIVE_BYTES || entries > MAX_ARCHIVE_ENTRIES) {
    throw cannotWrite(path, 'too large for a torch zip file; write a safetensors file instead');
  }
  await writeAtomically(path, storedZip(contentsOf(sources, pickle, notes, path, signal), { alignment: 64 }));
}

async function* contentsOf(
  sources: readonly TensorSource[],
  pickle: Buffer,
  notes: Buffer,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ZipContent> {
  // PyTorch takes the name of the archive from its first entry.
  yield { name: `${ARCHIVE}/data.pkl`, bytes: pickle };
  yield { name: `${ARCHIVE}/byteorder`, bytes: Buffer.from('little') };
  for (const [i, source] of sources.entries()) {
    yield { name: `${ARCHIVE}/data/${i}`, bytes: await bytesOf(source, path, signal) };
  }
  if (notes.length > 0) yield { name: `${ARCHIVE}/${METADATA_RECORD}`, bytes: notes };
  yield { name: `${ARCHIVE}/version`, bytes: Buffer.from('3\n') };
}
