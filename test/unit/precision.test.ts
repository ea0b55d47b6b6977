import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CellSegmenter, RoutedEnsemble } from '../../lib/index.js';
import { native } from '../../lib/native/load.js';
import { imageBytes, rejection, testEnsemble } from '../support/sdk.js';

const weights = join(testEnsemble, 'fluorescence.safetensors');
const processor = native().info();
const { bfloat16 } = processor;

test('is float32 by default, or the fastest of the processor with auto', async () => {
  await using plain = await CellSegmenter.load(weights);
  await using auto = await CellSegmenter.load(weights, { precision: 'auto' });
  expect(plain.precision).toBe('float32');
  expect(auto.precision).toBe(bfloat16 ? 'bfloat16' : 'float32');
});

/** Whether Linux lists these features of the processor. */
function processorHas(...features: string[]): boolean {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(/\s+/) ?? [];
  return features.every((feature) => flags.includes(feature));
}

const onLinux = existsSync('/proc/cpuinfo') && process.arch === 'x64';
(onLinux ? test : test.skip)('bfloat16 needs AVX512_BF16, and no matrix registers', () => {
  expect(bfloat16).toBe(processorHas('avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512_bf16'));
});

test('an unknown name is refused with the allowed values', async () => {
  const error = await rejection(CellSegmenter.load(weights, { precision: 'int4' as 'auto' }));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: 'precision' } });
  expect(error.message).toMatch(/float32.*bfloat16.*int8.*auto/);
});

describe.each(['bfloat16', 'int8'] as const)('%s', (precision) => {
  const has = processor[precision];

  (has ? test.skip : test)('is refused if the processor does not support it', async () => {
    const error = await rejection(CellSegmenter.load(weights, { precision }));
    expect(error).toMatchObject({
      code: 'PLATFORM_UNSUPPORTED',
      details: { option: 'precision', got: precision },
    });
    expect(error.message).toContain(processor.int8 ? 'float32, int8 or auto' : 'float32 or auto');
  });

  (has ? test : test.skip)('finds the same cells as float32', async () => {
    await using exact = await CellSegmenter.load(weights);
    await using short = await CellSegmenter.load(weights, { precision });
    expect(short.precision).toBe(precision);
    const image = imageBytes('small');
    const { cells } = await exact.segment(image);
    const rounded = (await short.segment(image)).cells;
    const iou = cells.masks.iou(rounded.masks);
    cells.scores.forEach((score, i) => {
      // Near the threshold a cell may come or go.
      if (score < 0.6) return;
      const row = Array.from(iou.subarray(i * rounded.length, (i + 1) * rounded.length));
      // A rounded box moves a row of pixels, which is a larger share of a small cell.
      expect(Math.max(...row)).toBeGreaterThan(cells.areas[i]! < 100 ? 0.8 : 0.9);
    });
    expect(Math.abs(rounded.length - cells.length)).toBeLessThanOrEqual(3);
    // It did compute in another type.
    expect(Array.from(rounded.scores)).not.toEqual(Array.from(cells.scores));
  });
});

test('an ensemble passes it to its segmenters', async () => {
  await using ensemble = await RoutedEnsemble.load(testEnsemble, { precision: 'auto' });
  const precision = bfloat16 ? 'bfloat16' : 'float32';
  expect(ensemble.segmenters.fluorescence?.precision).toBe(precision);
});
