import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  type ClassifierConfig,
  classifierConfig,
  type PartialClassifierConfig,
} from '../../lib/config/classifier.js';
import { CONFIG_KEY } from '../../lib/config/stored.js';
import {
  CellClassifier,
  CellSegmenter,
  convertWeights,
  decodeImage,
  exportPython,
  type MaskRCNNConfig,
  Masks,
  maskRCNNConfig,
  type PartialMaskRCNNConfig,
  type SegmentThresholds,
} from '../../lib/index.js';
import { readEnsembleFile, starterFolder } from '../../lib/inference/ensemble-file.js';
import { classifierScript } from '../../lib/python/classifier-script.js';
import { segmenterScript } from '../../lib/python/segmenter-script.js';
import { image, root } from '../support/sdk.js';
import { referencePython, temporaryFolder, testReference } from '../support/weights.js';

// The scripts of exportPython, run with torchvision: the same cells and classes as cellroute, within the tolerances of the
// goldens' detections (test/golden/sdk.test.ts).

const inFolder = temporaryFolder();
// Each test starts Python with torch several times.
jest.setTimeout(900_000);
const example = (name: string) => join(root, 'examples', 'images', name);

/** What a script answers to a command of run_script.py. */
function run<T>(script: string, command: string, ...args: string[]): T {
  const program = join(__dirname, 'run_script.py');
  const { status, stdout, stderr } = spawnSync(referencePython!, [program, script, command, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`${basename(script)} failed:\n${stderr}`);
  return JSON.parse(stdout) as T;
}

function writeScript(name: string, text: string): string {
  const path = inFolder(name);
  writeFileSync(path, text);
  return path;
}

interface ScriptCells {
  boxes: number[][];
  scores: number[];
  labels: number[];
  masks: string[];
}

/** Allowed differences: of a side of a box in pixels, of a score or probability, and of masks. */
const WITHIN = { boxes: 0.01, scores: 1e-4 };
const MIN_IOU = 0.99;

/** Cells of a script and of `segment`, which may have equal scores in another order. */
async function expectSameCells(
  script: string,
  weights: string,
  path: string,
  thresholds: SegmentThresholds,
  config?: PartialMaskRCNNConfig,
): Promise<number> {
  const theirs = run<ScriptCells>(script, 'segment', path, weights);
  await using segmenter = await CellSegmenter.load(weights, { config });
  const { cells, width, height } = await segmenter.segment(path, { ...thresholds, tiles: false });
  expect(cells.length).toBe(theirs.scores.length);
  const masks = Masks.fromCoco(theirs.masks, { width, height });
  const areas = masks.areas();
  const free = new Set(cells.scores.keys());
  theirs.boxes.forEach((box, i) => {
    const mine = [...free].find(
      (k) =>
        Math.abs(cells.scores[k]! - theirs.scores[i]!) <= WITHIN.scores &&
        box.every((value, side) => Math.abs(cells.boxes[4 * k + side]! - value) <= WITHIN.boxes),
    );
    if (mine === undefined) throw new Error(`no cell at ${box.join(', ')} with score ${theirs.scores[i]}`);
    free.delete(mine);
    expect(cells.labels[mine]).toBe(theirs.labels[i]);
    if (areas[i] === 0 && cells.areas[mine] === 0) return;
    const [iou] = cells.masks.select([mine]).iou(masks.select([i]));
    expect(iou).toBeGreaterThanOrEqual(MIN_IOU);
  });
  return cells.length;
}

describe('the starter ensemble', () => {
  const images: Record<string, string[]> = {
    fluorescence: ['fluorescence-sparse.png', 'fluorescence-small-crowded.png'],
    histology: ['histology.png'],
    'phase-contrast': ['phase-contrast.png'],
  };
  for (const [type, names] of Object.entries(images)) {
    testReference(`the script of the ${type} segmenter finds the same cells`, async () => {
      const { segmenters } = await readEnsembleFile(starterFolder);
      const { weights, thresholds = {} } = segmenters[type]!;
      const path = join(starterFolder, weights);
      const script = writeScript(`${type}.py`, await exportPython(path, { thresholds }));
      for (const name of names) {
        expect(await expectSameCells(script, path, example(name), thresholds)).toBeGreaterThan(5);
      }
    });
  }

  testReference('the script of the router gives the same probabilities', async () => {
    const path = join(starterFolder, 'classifier.safetensors');
    const script = writeScript('router.py', await exportPython(path));
    await using classifier = await CellClassifier.load(path);
    for (const name of ['fluorescence-sparse.png', 'histology.png', 'phase-contrast.png']) {
      await expectSameClass(script, path, classifier, example(name));
    }
  });
});

async function expectSameClass(
  script: string,
  weights: string,
  classifier: CellClassifier,
  path: string,
): Promise<void> {
  const theirs = run<Record<string, number>>(script, 'classify', path, weights);
  const { probabilities } = await classifier.classify(path);
  expect(Object.keys(theirs)).toEqual(Object.keys(probabilities));
  for (const [name, value] of Object.entries(probabilities)) {
    expect(Math.abs(value - theirs[name]!)).toBeLessThanOrEqual(WITHIN.scores);
  }
}

/** A file of weights by the goldens' formula for a network, with its configuration, made by its script. */
async function fileOf(
  name: string,
  script: string,
  config: MaskRCNNConfig | ClassifierConfig,
): Promise<string> {
  const bare = inFolder(`bare-${name}.safetensors`);
  run(script, 'weights', bare);
  const path = inFolder(`${name}.safetensors`);
  await convertWeights(bare, path, { metadata: { [CONFIG_KEY]: JSON.stringify(config) } });
  return path;
}

const script = (name: string) => ({
  name,
  script: 'a.py',
  weights: name,
  prefix: '',
  isFastai: false,
  version: '0.0.0',
});

const goldenImages = join(root, 'test', 'golden', 'images');

const four = [
  [0.5, 1, 2],
  [0.5, 1, 2],
  [0.5, 1, 2],
  [0.5, 1, 2],
];
const small: PartialMaskRCNNConfig = {
  backbone: { depth: 18, width: 8, norm: { kind: 'group', groups: 4 }, returnedLayers: [1, 2, 3] },
  fpn: { channels: 16 },
  rpn: { anchorSizes: [[8], [16], [32], [64]], aspectRatios: four },
  box: { hidden: 32, detectionsPerImage: 40 },
  mask: { channels: [16], hidden: 16 },
};

interface Case {
  config: PartialMaskRCNNConfig;
  thresholds: SegmentThresholds;
  /** Default: {@link image.small}. */
  image?: string;
}

const networks: Record<string, Case> = {
  'a scale, percentiles and three classes': {
    config: {
      ...small,
      resize: { scale: 1.3 },
      intensity: { kind: 'percentile', low: 0.5, high: 99.5 },
      numClasses: 4,
      classNames: ['round', 'long "thin"', 'été'],
    },
    thresholds: { minScore: 0.1, removeOverlaps: { maxLost: 0.3 }, minArea: 4 },
  },
  'torchvision’s ResNet50-FPN': {
    config: { resize: { minSize: 320, maxSize: 400 }, box: { detectionsPerImage: 30 } },
    thresholds: { minScore: 0.05 },
  },
  'bottlenecks with group norms, later stages, other ratios per level and 16 bits': {
    config: {
      backbone: {
        depth: 50,
        width: 8,
        norm: { kind: 'group', groups: 2, eps: 1e-4 },
        returnedLayers: [2, 3, 4],
      },
      fpn: { channels: 24 },
      resize: { scale: 2.5, maxSize: 300 },
      intensity: { kind: 'percentile', low: 2, high: 98 },
      rpn: {
        anchorSizes: [[12], [24], [48], [96]],
        aspectRatios: [
          [0.5, 1],
          [1, 2],
          [0.8, 1.25],
          [1, 3],
        ],
      },
      box: { hidden: 24, detectionsPerImage: 30 },
      mask: { channels: [24, 16], hidden: 8 },
    },
    thresholds: { minScore: 0.05, maskThreshold: 0.4 },
    image: join(root, 'test/golden/images/grey16.tif'),
  },
  'batch norms, two convolutions before proposals, no extra level and other heads': {
    config: {
      backbone: { depth: 34, width: 8, norm: { kind: 'batch', eps: 1e-3 } },
      fpn: { channels: 16, extraLevel: false },
      imageMean: [0.1, 0.2, 0.3],
      imageStd: [0.5, 0.6, 0.7],
      intensity: { kind: 'min-max' },
      resize: null,
      sizeDivisible: 16,
      rpn: {
        anchorSizes: [
          [8, 12],
          [16, 24],
          [32, 40],
          [64, 80],
        ],
        aspectRatios: four,
        convDepth: 2,
        preNmsTopN: 300,
        postNmsTopN: 150,
        nmsThreshold: 0.6,
        scoreThreshold: 0.01,
        minSize: 3,
      },
      box: {
        outputSize: 5,
        samplingRatio: -1,
        hidden: 24,
        scoreThreshold: 0.02,
        nmsThreshold: 0.4,
        regressionWeights: [8, 9, 4, 3],
      },
      mask: { outputSize: 10, samplingRatio: 1, channels: [16, 12], hidden: 8 },
    },
    thresholds: { minScore: 0.1, removeOverlaps: true, minArea: 9 },
  },
};

describe('other networks', () => {
  for (const [title, { config: partial, thresholds, image: path = image.small }] of Object.entries(
    networks,
  )) {
    testReference(`${title}: the script finds the same cells`, async () => {
      const config = maskRCNNConfig(partial);
      const name = title.replaceAll(/\W+/g, '-');
      const written = writeScript(
        `${name}.py`,
        segmenterScript(config, thresholds, script(`${name}.safetensors`)),
      );
      const weights = await fileOf(name, written, config);
      expect(await expectSameCells(written, weights, path, thresholds)).toBeGreaterThan(3);
    });
  }
});

const classifiers: Record<string, PartialClassifierConfig> = {
  'ResNet50 with group norms, a crop and percentiles': {
    backbone: { depth: 50, width: 16, norm: { kind: 'group', groups: 4 } },
    classNames: ['one', 'two "quoted"', 'drei'],
    intensity: { kind: 'percentile', low: 1, high: 99 },
    resize: { width: 96, height: 64, method: 'crop' },
  },
};

describe('other classifiers', () => {
  for (const [title, partial] of Object.entries(classifiers)) {
    testReference(`${title}: the script gives the same probabilities`, async () => {
      const config = classifierConfig(partial);
      const name = title.replaceAll(/\W+/g, '-');
      const written = writeScript(`${name}.py`, classifierScript(config, script(`${name}.safetensors`)));
      const weights = await fileOf(name, written, config);
      await using classifier = await CellClassifier.load(weights);
      for (const path of [image.small, join(goldenImages, 'rgb16.tif'), join(goldenImages, 'grey16.png')]) {
        await expectSameClass(written, weights, classifier, path);
      }
    });
  }
});

testReference('a script reads images with the values that cellroute reads', async () => {
  const names = readdirSync(goldenImages).filter((name) => !/^(refused|values|lossy)/.test(name));
  const written = writeScript('read.py', await exportPython(join(starterFolder, 'classifier.safetensors')));
  const paths = names.map((name) => join(goldenImages, name));
  const theirs = run<{ type: string; shape: number[]; sha256: string }[]>(written, 'read', ...paths);
  const types = { Uint8Array: 'uint8', Uint16Array: 'uint16', Float32Array: 'float32' };
  const differing: string[] = [];
  for (const [i, path] of paths.entries()) {
    const { data, width, height, channels } = await decodeImage(path);
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const mine = {
      type: types[data.constructor.name as keyof typeof types],
      shape: channels === 1 ? [height, width] : [height, width, channels],
      sha256: createHash('sha256').update(bytes).digest('hex'),
    };
    if (JSON.stringify(mine) !== JSON.stringify(theirs[i])) differing.push(names[i]!);
  }
  expect(differing).toEqual([]);
});
