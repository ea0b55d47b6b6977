import { extname } from 'node:path';

/** Bytes at the start of a file that are enough to name its format. */
export const FORMAT_BYTES = 512;

/** Formats of other tools by their first bytes, as Latin-1 text. */
const SIGNATURES: readonly { at: number; bytes: string; what: string }[] = [
  {
    at: 0,
    bytes: '\x89HDF\r\n\x1a\n',
    what: 'an HDF5 file, as Keras, TensorFlow and StarDist write weights',
  },
  { at: 0, bytes: 'GGUF', what: 'a GGUF file' },
  { at: 0, bytes: '\x93NUMPY', what: 'a NumPy array' },
  { at: 4, bytes: 'TFL3', what: 'a TensorFlow Lite model' },
  { at: 0, bytes: '\x1f\x8b', what: 'compressed with gzip; decompress it' },
  { at: 257, bytes: 'ustar', what: 'a tar archive; unpack it' },
  { at: 0, bytes: 'version https://git-lfs', what: 'a pointer of Git LFS; fetch the file with git lfs pull' },
];

/** Protocol buffers have no signature. */
const BY_ENDING: Readonly<Record<string, string>> = {
  '.onnx': 'an ONNX model',
  '.pb': 'a TensorFlow model',
};

/** Names the format of a file that is no weights file; undefined if it is not known. */
export function foreignFormat(path: string, start: Buffer): string | undefined {
  const text = start.toString('latin1');
  const known = SIGNATURES.find(({ at, bytes }) => text.startsWith(bytes, at));
  if (known) return known.what;
  if (/^\s*<(!doctype html|html|\?xml)/i.test(text)) return 'a web page or XML, so the download failed';
  return BY_ENDING[extname(path).toLowerCase()];
}

/** Names the tool that wrote a zip archive without a checkpoint, by the names in it. */
export function foreignArchive(names: Iterable<string>): string | undefined {
  const all = [...names];
  if (all.includes('model.weights.h5')) return 'a Keras model';
  if (all.length > 0 && all.every((name) => name.endsWith('.npy'))) return 'NumPy arrays (.npz)';
  if (all.some((name) => /(^|\/)(archive_format|models\/[^/]+\.json)$/.test(name))) {
    return "a program of torch.export; save the model's state_dict()";
  }
  return undefined;
}
