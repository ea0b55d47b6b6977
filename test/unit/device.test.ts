import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CellClassifier, CellSegmenter, RoutedEnsemble } from '../../lib/index.js';
import { choosePrecision } from '../../lib/inference/precision.js';
import { diagnose } from '../../lib/native/doctor.js';
import { findCudaAddon } from '../../lib/native/find.js';
import { runtimeLibraries } from '../../lib/native/libraries.js';
import { native } from '../../lib/native/load.js';
import { segmenterTraining } from '../../lib/trainer/config.js';
import { rejection, testEnsemble } from '../support/sdk.js';

const segmenter = join(testEnsemble, 'fluorescence.safetensors');
const classifier = join(testEnsemble, 'classifier.safetensors');
const { cuda } = native().info();
// The following tests need an addon without CUDA, the default build.
const withoutCuda = cuda ? test.skip : test;

test('a network is on the CPU by default', async () => {
  await using one = await CellSegmenter.load(segmenter);
  await using other = await CellClassifier.load(classifier, { device: 'cpu' });
  expect([one.device, other.device]).toEqual(['cpu', 'cpu']);
});

test.each(['gpu', 'cuda:', 'cuda:x', 'cuda:-1', 'CPU', '', 0, null])('%p is not a device', async (device) => {
  const given = { device: device as 'cpu' };
  const refused = { code: 'INVALID_ARGUMENT', details: { option: 'device' } };
  expect(await rejection(CellSegmenter.load(segmenter, given))).toMatchObject(refused);
  expect(await rejection(CellClassifier.load(classifier, given))).toMatchObject(refused);
  expect(await rejection(RoutedEnsemble.load(testEnsemble, given))).toMatchObject(refused);
  expect(() => segmenterTraining(given)).toThrow(
    expect.objectContaining({
      code: 'INVALID_CONFIG',
      details: expect.objectContaining({ option: 'device' }),
    }),
  );
});

withoutCuda('a GPU is refused with instructions', async () => {
  for (const device of ['cuda', 'cuda:1'] as const) {
    const error = await rejection(RoutedEnsemble.load(testEnsemble, { device }));
    expect(error).toMatchObject({ code: 'DEVICE_UNAVAILABLE' });
    expect(error.message).toContain(`'${device}'`);
    expect(error.message).toMatch(/CELLROUTE_LIBTORCH.*cellroute doctor/s);
  }
});

withoutCuda('auto selects the CPU without a GPU', async () => {
  await using ensemble = await RoutedEnsemble.load(testEnsemble, { device: 'auto' });
  expect(ensemble.classifier.device).toBe('cpu');
  expect(ensemble.segmenters.fluorescence?.device).toBe('cpu');
});

test.each(['float16', 'tf32'] as const)('%s is refused on the CPU', async (precision) => {
  const error = await rejection(CellSegmenter.load(segmenter, { precision }));
  expect(error).toMatchObject({
    code: 'PLATFORM_UNSUPPORTED',
    details: { option: 'precision', got: precision },
  });
  expect(error.message).toMatch(/device 'cuda'/);
});

test('int8 is refused on a GPU', () => {
  expect(() => choosePrecision('int8', 'cuda:0')).toThrow(
    expect.objectContaining({
      code: 'PLATFORM_UNSUPPORTED',
      message: expect.stringMatching(/device 'cpu'.*tf32/),
      details: expect.objectContaining({ option: 'precision', got: 'int8' }),
    }),
  );
  expect(choosePrecision('auto', 'cuda:0')).toBe('float16');
});

withoutCuda('doctor does not search for GPUs without the CUDA addon', async () => {
  const diagnosis = await diagnose();
  expect(diagnosis.cuda).toMatchObject({ used: false, gpus: [] });
  expect(diagnosis.devices).toEqual(['cpu']);
  expect(diagnosis.problems).toEqual([]);
});

describe('the addon with CUDA is selected', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-cuda-'));
  const [plain, withCuda] = ['cpu/lib', 'cuda/lib'].map((name) => join(folder, name)) as [string, string];
  beforeAll(() => {
    for (const lib of [plain, withCuda]) mkdirSync(lib, { recursive: true });
    writeFileSync(join(withCuda, 'libtorch_cuda.so'), '');
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const seen = (libtorch: string, isSelected: boolean) =>
    findCudaAddon(libtorch, isSelected).locations.map(({ found }) => found);

  test('for a LibTorch with CUDA that the user selected, if the addon exists', () => {
    const { files, locations } = findCudaAddon(withCuda, true);
    expect(seen(withCuda, true).slice(0, 2)).toEqual([true, true]);
    expect(files !== undefined).toBe(locations[2]!.found);
    expect(locations[2]!.path).toMatch(/-cuda13.cellroute\.node$/);
  });

  test('in no other case, with a reason for each step', () => {
    expect(findCudaAddon(withCuda, false).files).toBeUndefined();
    expect(findCudaAddon(plain, true).files).toBeUndefined();
    expect(seen(withCuda, false)[0]).toBe(false);
    expect(seen(plain, true)[1]).toBe(false);
    expect(
      findCudaAddon(plain, false)
        .locations.slice(0, 2)
        .map(({ note }) => note),
    ).toEqual([expect.stringMatching(/CELLROUTE_LIBTORCH/), expect.stringMatching(/CPU only/)]);
  });

  test('and its LibTorch is opened with its CUDA libraries, after their dependencies', () => {
    const names = runtimeLibraries('linux', true);
    expect(names.indexOf('libtorch_cuda.so')).toBeGreaterThan(names.indexOf('libtorch_cpu.so'));
    expect(names.indexOf('libtorch_cuda.so')).toBeGreaterThan(names.indexOf('libc10_cuda.so'));
    expect(runtimeLibraries('linux')).not.toContain('libtorch_cuda.so');
  });
});
