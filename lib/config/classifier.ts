import { refuse } from '../check.js';
import { checkPercentiles } from './mask-rcnn.js';
import {
  type DeepPartial,
  integer,
  type JsonSchema,
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

/** Full configuration of a ResNet image classifier. The defaults are those of torchvision's `resnet18`. */
const shape = object({
  kind: literal('classifier'),
  version,
  backbone: object({
    depth: oneNumberOf(18, [18, 34, 50, 101]),
    width: integer(64, 1, 1024),
    norm: norm('batch'),
  }),
  /**
   * `linear`: average pooling and one linear layer, as torchvision. `concat-pool`: maximum and average pooling and two
   * linear layers with batch norm and `hidden` units between them, as fastai's `create_head`.
   */
  head: object({
    kind: oneOf('linear', ['linear', 'concat-pool']),
    hidden: integer(512, 1, 1 << 16),
  }),
  /** One name per class, in the order of the network's outputs. */
  classNames: list<string>([], text, { min: 1, max: 10_000 }),
  intensity,
  imageMean,
  imageStd,
  /**
   * `crop` crops the centre to the target's aspect ratio and resizes it. `squish` resizes the whole image. Both use
   * Pillow's antialiased bilinear filter. null uses images at their own size.
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

/** The JSON Schema of the configuration. */
export const classifierSchema: JsonSchema = shape.schema!;

/** Complete configuration of a classifier; see docs/configuration.md. */
export type ClassifierConfig = Read<typeof shape>;
/** Configuration of a classifier; missing values have defaults, except `classNames`. */
export type PartialClassifierConfig = DeepPartial<ClassifierConfig>;

/**
 * Completes a partial configuration with defaults. `classNames` has no default.
 *
 * @param path position of the configuration inside a larger one, for error messages.
 * @throws {CellrouteError} INVALID_CONFIG, naming the value, what was expected and what was received.
 */
export function classifierConfig(given: PartialClassifierConfig, path = ''): ClassifierConfig {
  const config = shape(given, path);
  const at = (key: string) => (path ? `${path}.${key}` : key);
  if (config.classNames.length === 0)
    throw refuse(at('classNames'), 'the names of the classes', given?.classNames, 'INVALID_CONFIG');
  if (new Set(config.classNames).size !== config.classNames.length) {
    throw refuse(at('classNames'), 'names that differ', config.classNames.join(', '), 'INVALID_CONFIG');
  }
  checkPercentiles(config.intensity, at('intensity'));
  return config;
}
