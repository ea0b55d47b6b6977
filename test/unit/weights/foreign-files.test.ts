import { writeFileSync } from 'node:fs';
import { CellSegmenter } from '../../../lib/inference/segmenter.js';
import { rejection } from '../../support/sdk.js';
import { pickle, temporaryFolder, text, torchZip, zip } from '../../support/weights.js';

// Files of other tools and containers, as they lie in folders of models: each is refused by name.

const path = temporaryFolder();
const behind = (at: number, bytes: string) => Buffer.from(`${'a'.padEnd(at, '\0')}${bytes}`, 'latin1');
const latin1 = (bytes: string) => Buffer.from(bytes.padEnd(600, '\0'), 'latin1');

test.each<[string, Buffer | Promise<Buffer>, RegExp]>([
  [
    'stardist/weights_best.h5',
    latin1('\x89HDF\r\n\x1a\n'),
    /it is an HDF5 file, as Keras, TensorFlow and StarDist/,
  ],
  [
    'model.keras',
    zip({ 'config.json': Buffer.from('{}'), 'model.weights.h5': Buffer.from('x') }),
    /a Keras model/,
  ],
  ['model.onnx', latin1('\x08\x0a\x12\x07pytorch'), /it is an ONNX model/],
  ['saved_model.pb', latin1('\x08\x01\x12'), /it is a TensorFlow model/],
  ['model.tflite', latin1('\x1c\0\0\0TFL3'), /it is a TensorFlow Lite model/],
  ['model.gguf', latin1('GGUF\x03'), /it is a GGUF file/],
  ['weights.npz', zip({ 'arr_0.npy': Buffer.from('\x93NUMPY', 'latin1') }), /NumPy arrays/],
  ['weights.npy', latin1('\x93NUMPY\x01'), /it is a NumPy array/],
  [
    'program.pt2',
    zip({ 'program/archive_format': Buffer.from('pt2') }),
    /a program of torch\.export; save the model's/,
  ],
  ['model.pth.gz', latin1('\x1f\x8b\x08'), /compressed with gzip; decompress it/],
  ['model.tar', behind(257, 'ustar\x0000'), /a tar archive; unpack it/],
  ['pointer.safetensors', latin1('version https://git-lfs.github.com/spec/v1\n'), /Git LFS.*git lfs pull/],
  ['page.pth', latin1('<!DOCTYPE html><html>'), /the download failed/],
  [
    'caffe2.pkl',
    pickle('\x80\x02', '}', text('blobs'), 'q\x01', '}', text('conv1_w'), 'N', 's', 's', '.'),
    /a pickle of detectron2/,
  ],
])('%s', async (name, content, message) => {
  const file = path(name.replace('/', '-'));
  writeFileSync(file, await content);
  expect(await rejection(CellSegmenter.load(file))).toMatchObject({
    code: 'WEIGHTS_FORMAT',
    message: expect.stringMatching(message),
  });
});

test('a TorchScript program, with a command that saves its weights', async () => {
  const file = path('script.pt');
  writeFileSync(file, await torchZip(pickle('\x80\x02', 'c__torch__\nNet\n', ')\x81', '}b.')));
  expect(await rejection(CellSegmenter.load(file))).toMatchObject({
    code: 'WEIGHTS_REFUSED',
    message: expect.stringMatching(/it is a TorchScript program.*torch\.jit\.load\('in\.pt'/),
  });
});
