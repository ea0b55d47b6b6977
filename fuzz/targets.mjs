// Every reader of untrusted bytes, as a function of a file. A reader may throw a CellrouteError. Any other error, such as a
// failed assertion, is a finding.
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const library = createRequire(new URL('../dist/', import.meta.url));
const { openAnnotations } = library('./annotations/open.js');
const { readImageInfo } = library('./image/decode.js');
const { readEnsembleFile } = library('./inference/ensemble-file.js');
const { classifierTraining, segmenterTraining } = library('./trainer/config.js');
const { readConfigFile } = library('./trainer/config-file.js');
const { inspectWeights } = library('./weights/open.js');
const { TensorReader } = library('./weights/read-tensor.js');
const { ByteCursor } = library('./weights/pickle/cursor.js');
const { PickleMachine } = library('./weights/pickle/machine.js');

/** Reads the table of a weights file, and every small tensor. */
async function weights(file) {
  const { size, tensors } = await inspectWeights(file);
  const total = tensors.reduce(
    (sum, { shape }) => sum + shape.reduce((product, side) => product * side, 8),
    0,
  );
  assert(total <= 8 * (8 * size + (1 << 20)), 'the tensors are larger than the file justifies');
  const reader = await TensorReader.open(file);
  try {
    for (const entry of tensors.slice(0, 20)) {
      const bytes = await reader.read(entry);
      assert(bytes.byteLength <= 8 * size + (1 << 20), `${entry.name} is larger than the file justifies`);
    }
  } finally {
    await reader.close();
  }
}

/** Reads an annotation file and the cells of its first images: as predictions if the number of its bytes is odd. */
async function annotations(file) {
  const { size } = await stat(file);
  const source = await openAnnotations(file, { predictions: size % 2 === 1 });
  for (const image of source.images.slice(0, 3)) {
    const read = await image.read({ width: 40, height: 30 });
    if (read.cells) assert.equal(read.cells.masks.width * read.cells.masks.height <= 2 ** 32, true);
    else assert.equal(typeof read.reason, 'string');
  }
}

const JSON_WORDS = [
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '-1',
  '1e999',
  '"__proto__"',
  '\\u0000',
  '\ufeff',
  ',',
  ':',
];

const GOLDEN = 'test/golden';
const CASES = 'test/data/cases';

/**
 * Targets by name. `seeds` are folders, or files of a folder that match a pattern. `file` is the name of the input file,
 * because some readers depend on its extension. `words` are texts that the readers look for.
 */
export const targets = {
  safetensors: {
    seeds: [[GOLDEN, /^(written_tensors|box_coder|resnet18_explain)\.safetensors$/]],
    file: 'input.safetensors',
    words: [...JSON_WORDS, '"dtype":"F32"', '"BF16"', '"shape":', '"data_offsets":', '__metadata__'],
    run: weights,
  },
  'torch-zip': {
    seeds: [
      ['fuzz/seeds/torch-zip'],
      [GOLDEN, /^(checkpoint_zip|weights_protocol|weights_training|written_tensors|hostile).*pth$/],
    ],
    file: 'input.pth',
    words: [
      'PK\x01\x02',
      'PK\x03\x04',
      'PK\x05\x06',
      'PK\x06\x06',
      'archive/data.pkl',
      'archive/data/0',
      'Q',
      '.',
    ],
    run: weights,
  },
  'torch-legacy': {
    seeds: [[GOLDEN, /legacy.*pth$/]],
    file: 'input.pth',
    words: ['\x80\x02', 'storage', 'FloatStorage', 'cpu', '(', 't', 'R', 'Q', 'u', 's', '.'],
    run: weights,
  },
  fastai: {
    seeds: [['fuzz/seeds/fastai']],
    file: 'input.pkl',
    words: [
      'cfastai.learner\nLearner\n',
      '_modules',
      '_parameters',
      '_buffers',
      'vocab',
      'b',
      '\x81',
      'R',
      'Q',
    ],
    run: weights,
  },
  pickle: {
    seeds: [['fuzz/seeds/pickle']],
    file: 'input.pickle',
    words: [
      '(',
      ')',
      ']',
      '}',
      'a',
      'e',
      's',
      'u',
      't',
      'R',
      'b',
      '\x81',
      '\x85',
      '\x94',
      'h\x00',
      'q\x00',
      '2',
      '.',
    ],
    async run(file) {
      const bytes = await readFile(file);
      new PickleMachine(new ByteCursor(bytes, { file, position: 0 }), (id) => id).run();
    },
  },
  image: {
    seeds: [[`${GOLDEN}/images`, /\.(png|jpg|tif|webp)$/]],
    file: 'input.png',
    words: [
      'IHDR',
      'IDAT',
      'acTL',
      '\xff\xc0',
      '\xff\xda',
      'VP8X',
      'VP8L',
      'II*\0',
      'MM\0*',
      '\0\x01',
      '\x01\x11',
    ],
    run: async (file) => readImageInfo(await readFile(file)),
  },
  coco: {
    seeds: [['fuzz/seeds/coco'], [`${CASES}/coco`, /\.json$/]],
    file: 'input.json',
    words: [...JSON_WORDS, '"counts":', '"size":', '"segmentation":', '"iscrowd":1', '"images":', 'NaN'],
    run: annotations,
  },
  csv: {
    seeds: [['fuzz/seeds/csv'], [`${CASES}/kaggle`, /\.csv$/]],
    file: 'train.csv',
    words: [
      'id',
      'annotation',
      'predicted',
      'width',
      'height',
      '"',
      '""',
      '\r\n',
      ',,',
      '\ufeff',
      '1 2',
      '-1 5',
    ],
    run: annotations,
  },
  ensemble: {
    seeds: [['fuzz/seeds/ensemble'], ['models/starter', /^ensemble\.json$/]],
    file: 'ensemble.json',
    words: [
      ...JSON_WORDS,
      '"thresholds":',
      '"rpn":',
      '"minScore":',
      '"removeOverlaps":',
      '"fallback":',
      '../',
    ],
    run: (file) => readEnsembleFile(dirname(file)),
  },
  training: {
    seeds: [['fuzz/seeds/training']],
    file: 'config.json',
    words: [
      ...JSON_WORDS,
      '"kind":',
      '"transforms":',
      '"network":',
      '"schedule":',
      '"start":',
      '"validation":',
    ],
    async run(file) {
      const config = await readConfigFile(file);
      const failures = [segmenterTraining, classifierTraining].map((read) => {
        try {
          config.read((value) => read(value));
          return undefined;
        } catch (error) {
          return error;
        }
      });
      for (const failure of failures) if (failure && failure.name !== 'CellrouteError') throw failure;
      if (failures[0] && failures[1]) throw failures[0];
    },
  },
};
