import { defined } from '../defined.js';
import { CellrouteError } from '../errors.js';
import { hasFastaiNames } from '../weights/names.js';
import type { WeightsFile } from '../weights/table.js';
import type { PartialClassifierConfig } from './classifier.js';
import { inferFastaiConfig } from './infer.js';
import { readStoredFastai } from './stored.js';

const BILINEAR = 2;

/**
 * Configuration of a classifier of fastai: vocabulary, ResNet, head and, if stored, resize and normalisation. undefined if the
 * file is neither an export of fastai, converted or not, nor has the names of its networks. Transforms that apply only during
 * training are ignored. A file of `learn.save` has tensors alone: classes are numbered, and images keep their size.
 *
 * @throws {CellrouteError} INVALID_CONFIG if the export preprocesses images in a way that is not supported.
 */
export function fastaiClassifierConfig(file: WeightsFile): PartialClassifierConfig | undefined {
  const { path, tensors } = file;
  const fastai = readStoredFastai(file);
  if (!fastai) return hasFastaiNames(tensors) ? inferFastaiConfig(file) : undefined;
  const { vocab, resize, normalize, divisor, arch } = fastai;
  const refuse = (what: string, got: unknown, expected: string) =>
    new CellrouteError('INVALID_CONFIG', `${path}: ${what} is ${String(got)}; supported: ${expected}`, {
      file: path,
      expected,
      got: String(got),
    });
  const depth = Number(/resnet(\d+)$/.exec(arch ?? '')?.[1]);
  if (depth !== 18 && depth !== 34 && depth !== 50 && depth !== 101)
    throw refuse('its architecture', arch ?? 'not stored', 'resnet18, resnet34, resnet50 and resnet101');
  if (resize && resize.method === 'pad') throw refuse('its resize', resize.method, 'crop and squish');
  if (resize && resize.resample !== BILINEAR)
    throw refuse('its resize filter', resize.resample, `bilinear (${BILINEAR})`);
  if (divisor !== undefined && divisor !== 255) throw refuse('its divisor', divisor, '255');
  // Layers of fastai's create_head: 0 pooling, 1 flatten, 2 batch norm, 3 dropout, 4 hidden linear layer.
  const hidden = tensors.find(({ name }) => name === '1.4.weight')?.shape[0];
  return {
    backbone: { depth },
    head: { kind: 'concat-pool', ...defined({ hidden }) },
    classNames: vocab,
    ...defined({ imageMean: normalize?.mean, imageStd: normalize?.std }),
    resize:
      resize && resize.method !== 'pad'
        ? { width: resize.width, height: resize.height, method: resize.method }
        : null,
  };
}
