import { checkObject, checkOneOf, refuse } from '../check.js';
import type { JsonSchema, Read } from '../config/schema.js';
import type { Random } from '../data/random.js';
import {
  cropAndUpscaleKind,
  flipHorizontalKind,
  flipVerticalKind,
  padKind,
  quarterTurnsKind,
  randomCropKind,
  resizeKind,
  scaleJitterKind,
  shortSideKind,
} from './geometric.js';
import { intensityKind } from './intensity.js';
import type { Draft, Kind } from './kind.js';

const kinds = {
  'flip-horizontal': flipHorizontalKind,
  'flip-vertical': flipVerticalKind,
  'quarter-turns': quarterTurnsKind,
  'random-crop': randomCropKind,
  'crop-and-upscale': cropAndUpscaleKind,
  'scale-jitter': scaleJitterKind,
  pad: padKind,
  resize: resizeKind,
  'short-side': shortSideKind,
  intensity: intensityKind,
};

type Kinds = typeof kinds;
/** Names of all transforms. */
export type TransformKind = keyof Kinds;
/** One augmentation step, as plain JSON in a configuration file; `kind` selects the transform. */
export type Transform = { [K in TransformKind]: Readonly<Read<Kinds[K]['read']>> }[TransformKind];

/**
 * Reads one transform of a configuration file and fills in defaults.
 *
 * @throws {CellrouteError} INVALID_CONFIG, naming the value under `path`, what was expected and what was received.
 */
export function readTransform(value: unknown, path: string): Transform {
  const name = path || 'transform';
  const given = checkObject(name, value, 'INVALID_CONFIG');
  const kind = checkOneOf(
    path ? `${path}.kind` : 'kind',
    given.kind,
    Object.keys(kinds) as TransformKind[],
    'INVALID_CONFIG',
  );
  return Object.freeze(kinds[kind].read(given, path));
}

/** The JSON Schema of a chain of transforms. */
export const transformsSchema: JsonSchema = {
  type: 'array',
  items: {
    oneOf: Object.values(kinds).map(({ read }) => ({
      ...read.schema,
      required: ['kind', ...((read.schema?.required as readonly string[] | undefined) ?? [])],
    })),
  },
};

/** Reads a chain of transforms; `path` is its position, for error messages. */
export function readTransforms(value: unknown, path = 'transforms'): Transform[] {
  if (!Array.isArray(value)) throw refuse(path, 'an array of transforms', value, 'INVALID_CONFIG');
  // Array.from, so that holes are checked too.
  return Array.from(value, (entry, i) => readTransform(entry, `${path}[${i}]`));
}

/** Applies one transform to a sample. */
export function applyTransform(transform: Transform, draft: Draft, random: Random): Draft {
  const { apply } = kinds[transform.kind] as Kind<Transform>;
  return apply(transform, draft, random);
}
