import { refuse } from '../check.js';
import { checkPercentiles } from './mask-rcnn.js';
import {
  type DeepPartial,
  integer,
  list,
  literal,
  nullable,
  object,
  oneNumberOf,
  oneOf,
  type Read,
  text,
} from './schema.js';
import { imageMean, imageStd, intensity, norm, version } from './shared.js';

/** A ResNet classifier of whole images, described fully. The defaults are torchvision's `resnet18`. */
const shape = object({
  kind: literal('classifier'),
  version,
  backbone: object({
    depth: oneNumberOf(18, [18, 34, 50, 101]),
    width: integer(64, 1, 1024),
    norm: norm('batch'),
  }),
  /**
   * `linear`: average pool and one linear layer, torchvision's. `concat-pool`: maximum and average pool, two
   * normalised linear layers with `hidden` units between, fastai's `create_head`.
   */
  head: object({
    kind: oneOf('linear', ['linear', 'concat-pool']),
    hidden: integer(512, 1, 1 << 16),
  }),
  /** One name a class, in the order of the network's outputs. */
  classNames: list<string>([], text, { min: 1, max: 10_000 }),
  intensity,
  imageMean,
  imageStd,
  /**
   * `crop` cuts the middle to the target's aspect and resizes it, `squish` resizes the whole; both as Pillow's
   * antialiased bilinear. null takes images as they are.
   */
  resize: nullable(
    { width: 224, height: 224, method: 'crop' },
    object({
      width: integer(224, 1, 1 << 15),
      height: integer(224, 1, 1 << 15),
      method: oneOf('crop', ['crop', 'squish']),
    }),
  ),
});

export type ClassifierConfig = Read<typeof shape>;
export type PartialClassifierConfig = DeepPartial<ClassifierConfig>;

/**
 * The full configuration for what was given of it; `classNames` has no default.
 *
 * @param path where the configuration stands in a larger one, for the errors.
 * @throws {CellrouteError} INVALID_CONFIG, naming the value, what was expected and what came.
 */
export function classifierConfig(given: PartialClassifierConfig, path = ''): ClassifierConfig {
  const config = shape(given, path);
  const at = (key: string) => (path ? `${path}.${key}` : key);
  if (config.classNames.length === 0)
    throw refuse(at('classNames'), 'the names of the classes', given.classNames, 'INVALID_CONFIG');
  if (new Set(config.classNames).size !== config.classNames.length) {
    throw refuse(at('classNames'), 'names that differ', config.classNames.join(', '), 'INVALID_CONFIG');
  }
  checkPercentiles(config.intensity, at('intensity'));
  return config;
}
