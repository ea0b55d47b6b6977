import { CellClassifier } from '../../lib/inference/classifier.js';
import type { Explanation } from '../../lib/inference/explanation.js';
import { formulaTensor } from '../support/formula.js';
import { describeGolden, goldenTensors, hasGolden, toleranceOfTensor } from '../support/golden.js';
import { readImage } from '../support/image.js';
import { safetensors, save, temporaryFolder } from '../support/weights.js';

const FILE = 'resnet18_explain.safetensors';
const golden = hasGolden(FILE) ? goldenTensors(FILE) : { tensors: {}, metadata: {} };
const said = (key: string) => JSON.parse(golden.metadata[key] ?? '""') as string & number;
const image = said('image');

const temporary = temporaryFolder();

/** Names and shapes of torchvision's resnet18, without num_batches_tracked. */
function shapesOfResNet18(classes: number): [string, number[]][] {
  const norm = (name: string, channels: number) =>
    ['weight', 'bias', 'running_mean', 'running_var'].map((leaf): [string, number[]] => [
      `${name}.${leaf}`,
      [channels],
    ]);
  const shapes: [string, number[]][] = [['conv1.weight', [64, 3, 7, 7]], ...norm('bn1', 64)];
  let last = 64;
  [64, 128, 256, 512].forEach((planes, i) => {
    for (const block of [0, 1]) {
      const at = `layer${i + 1}.${block}`;
      shapes.push([`${at}.conv1.weight`, [planes, last, 3, 3]], ...norm(`${at}.bn1`, planes));
      shapes.push([`${at}.conv2.weight`, [planes, planes, 3, 3]], ...norm(`${at}.bn2`, planes));
      if (last !== planes) {
        shapes.push([`${at}.downsample.0.weight`, [planes, last, 1, 1]]);
        shapes.push(...norm(`${at}.downsample.1`, planes));
      }
      last = planes;
    }
  });
  shapes.push(['fc.weight', [classes, 512]], ['fc.bias', [classes]]);
  return shapes;
}

function writeFormulaResNet18(path: string, classes: number): string {
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let end = 0;
  for (const [name, shape] of shapesOfResNet18(classes)) {
    const values = formulaTensor(name, shape, 'bn2');
    parts.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  return save(path, safetensors(header, Buffer.concat(parts)));
}

/** Largest difference as a share of the reference's largest value. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const step = Math.abs(actual[i]! - expected[i]!);
    // Comparisons with NaN are false, so NaN must not count as a small difference.
    if (!(step <= difference)) difference = step;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference / largest;
}

describeGolden('ResNet18 explained, formula weights', { goldens: [FILE], images: [image] }, () => {
  let classifier: CellClassifier;
  beforeAll(async () => {
    const classNames = Array.from({ length: said('num_classes') }, (_, i) => `class ${i}`);
    const path = writeFormulaResNet18(temporary('resnet18.safetensors'), classNames.length);
    classifier = await CellClassifier.load(path, { config: { classNames, resize: null } });
  });
  afterAll(() => classifier.dispose());

  const explain = async (method: 'grad-cam' | 'integrated-gradients') => {
    const { data, shape } = await readImage(image);
    const { imageMean, imageStd } = classifier.config;
    const area = data.length / 3;
    const { floor } = Math;
    const normalised = data.map((value, i) => {
      const channel = floor(i / area);
      return (value - imageMean[channel]!) / imageStd[channel]!;
    });
    const target = `class ${said('target')}`;
    return classifier.explainTensor({ data: normalised, shape }, { method, target, steps: said('steps') });
  };
  const sampled = ({ values, width, height }: Explanation) => {
    const step = said('sample');
    const sample: number[] = [];
    for (let y = 0; y < height; y += step) {
      for (let x = 0; x < width; x += step) sample.push(values[y * width + x]!);
    }
    return sample;
  };
  const expected = (name: string) => golden.tensors[name]!.data as Float32Array;
  const tolerance = (name: string, otherwise: number) => toleranceOfTensor(golden.metadata, name, otherwise);
  const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);

  test('Grad-CAM equals hooks in torchvision', async () => {
    const explanation = await explain('grad-cam');
    expect(relativeError(sampled(explanation), expected('grad_cam_sample'))).toBeLessThan(
      tolerance('grad_cam_sample', 1e-4),
    );
    expect(sum(explanation.values) / expected('sums')[0]!).toBeCloseTo(1, 4);
  });

  test("integrated gradients equal autograd's", async () => {
    const explanation = await explain('integrated-gradients');
    // If rounding changes the sign at a ReLU, the gradient jumps.
    expect(relativeError(sampled(explanation), expected('integrated_gradients_sample'))).toBeLessThan(
      tolerance('integrated_gradients_sample', 1e-2),
    );
    expect(sum(explanation.values) / expected('sums')[1]!).toBeCloseTo(1, 3);
    const logits = [...Object.values(explanation.logits), ...Object.values(explanation.baselineLogits)];
    expect(relativeError(logits, expected('logits'))).toBeLessThan(tolerance('logits', 1e-4));
  });
});
