// Options of `segment` in the query of a URL, with the names, ranges and descriptions of the SDK.
import { refuse } from '../check.js';
import type { ImageReadOptions } from '../image/types.js';
import type { RoutedSegmentOptions } from '../inference/ensemble.js';
import { parseChannels, parseTiles, TILES_TEXT } from '../inference/option-text.js';
import { SCALE_RANGES } from '../inference/scale.js';
import {
  REMOVE_OVERLAPS,
  THRESHOLD_NAMES,
  type ThresholdName,
  thresholdSpec,
  thresholdsFrom,
} from '../inference/thresholds.js';

/** A JSON Schema, for the OpenAPI document. */
export type Schema = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly schema: Schema;
  /** Parses the value of a text; throws INVALID_ARGUMENT for an invalid text. The SDK checks ranges. */
  parse(name: string, text: string): unknown;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function parseNumber(name: string, text: string): number {
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw refuse(name, 'a number', text);
  return value;
}

function parseText(name: string, text: string): string {
  if (text === '') throw refuse(name, 'a non-empty string', text);
  return text;
}

function thresholdParameter(name: ThresholdName): Parameter {
  const { range, description, unit, defaultText } = thresholdSpec(name);
  return {
    schema: {
      type: range.integer ? 'integer' : 'number',
      minimum: range.min,
      maximum: range.max,
      description: `${description} In ${unit}; default ${defaultText}, or the ensemble's.`,
    },
    parse: parseNumber,
  };
}

const index = (what: string, fallback = '0'): Parameter => ({
  schema: { type: 'integer', minimum: 0, description: `${what}, from 0. Default: ${fallback}.` },
  parse: parseNumber,
});

const READ: Readonly<Record<string, Parameter>> = {
  page: index('Page of a TIFF or frame of a WebP', 'the first that is not a thumbnail'),
  z: index('Plane along z of an OME-TIFF or ImageJ stack'),
  t: index('Time point of an OME-TIFF or ImageJ stack'),
  channels: {
    schema: {
      type: 'string',
      minLength: 1,
      description:
        'One channel, or three for red, green and blue, by index from 0 or OME name, separated by commas.',
    },
    parse: (name, text) => parseChannels(parseText(name, text)),
  },
};

const NAME: Parameter = {
  schema: {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    description: "Name of the image, for the result. Default: the uploaded file's.",
  },
  parse: (option, text) => checkImageName(option, text),
};

/** Checks a name that is copied into the result. It is never used as a path. */
export function checkImageName(option: string, name: string): string {
  if (name !== '' && name.length <= 255 && !/\p{Cc}/u.test(name)) return name;
  throw refuse(option, 'a name of 1 to 255 characters without control characters', name);
}

const SCALE: Readonly<Record<string, Parameter>> = {
  scale: {
    schema: {
      anyOf: [
        { type: 'number', minimum: SCALE_RANGES.scale.min, maximum: SCALE_RANGES.scale.max },
        { type: 'string', const: 'auto' },
      ],
      description:
        'Factor by which the network sees the image larger or smaller than with its own resize, or `auto`. Default: 1.',
    },
    parse: (name, text) => (text === 'auto' ? text : parseNumber(name, text)),
  },
  diameter: {
    schema: {
      type: 'number',
      minimum: SCALE_RANGES.diameter.min,
      maximum: SCALE_RANGES.diameter.max,
      description: 'Diameter of a typical cell in pixels; the scale follows from it. Instead of scale.',
    },
    parse: parseNumber,
  },
  pixelSize: {
    schema: {
      anyOf: [
        { type: 'number', minimum: SCALE_RANGES.pixelSize.min, maximum: SCALE_RANGES.pixelSize.max },
        { type: 'string', const: 'file' },
      ],
      description:
        'Micrometres per pixel, or `file` for what a TIFF states; the scale follows. Instead of scale.',
    },
    parse: (name, text) => (text === 'file' ? text : parseNumber(name, text)),
  },
};

const SEGMENT: Readonly<Record<string, Parameter>> = {
  cellType: {
    schema: {
      type: 'string',
      minLength: 1,
      description: 'Uses the segmenter of this type instead of the predicted one.',
    },
    parse: parseText,
  },
  ...Object.fromEntries(THRESHOLD_NAMES.map((name) => [name, thresholdParameter(name)])),
  removeOverlaps: {
    schema: {
      type: 'string',
      pattern: '^(true|false|0|1|0?\\.[0-9]{1,9})$',
      description: `${REMOVE_OVERLAPS.description} \`true\`, \`false\`, or maxLost as a ${REMOVE_OVERLAPS.unit} from ${REMOVE_OVERLAPS.range.min} to ${REMOVE_OVERLAPS.range.max}.`,
    },
    parse: (name, text) =>
      text === 'true' || text === 'false' ? text === 'true' : { maxLost: parseNumber(name, text) },
  },
  tiles: {
    schema: {
      type: 'string',
      pattern: '^(auto|off|[0-9]+(,[0-9]+)?)$',
      description: `Tiles that the image is cut into: ${TILES_TEXT}, in pixels. Default auto: above 2048 × 2048 pixels.`,
    },
    parse: parseTiles,
  },
  ...SCALE,
};

const schemaOf = (parameters: Readonly<Record<string, Parameter>>): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(Object.entries(parameters).map(([name, { schema }]) => [name, schema])),
});

/** The query of a route. */
export class Query<Options> {
  readonly schema: Schema;
  readonly #parameters: Readonly<Record<string, Parameter>>;

  constructor(parameters: Readonly<Record<string, Parameter>>) {
    this.#parameters = parameters;
    this.schema = schemaOf(parameters);
  }

  /**
   * Parses a query into options; `format` is returned in addition.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for unknown names, repeated names and invalid values.
   */
  parse(query: Readonly<Record<string, unknown>>): Options & { format?: string } {
    const plain: Record<string, unknown> = {};
    const thresholds: [ThresholdName, number][] = [];
    for (const [name, text] of Object.entries(query)) {
      const parameter = Object.hasOwn(this.#parameters, name) ? this.#parameters[name] : undefined;
      if (!parameter) {
        throw refuse('the query', `names out of ${Object.keys(this.#parameters).join(', ') || 'none'}`, name);
      }
      if (typeof text !== 'string') throw refuse(name, 'one value', text);
      const value = parameter.parse(name, text);
      if ((THRESHOLD_NAMES as readonly string[]).includes(name)) {
        thresholds.push([name as ThresholdName, value as number]);
      } else {
        plain[name] = value;
      }
    }
    // Options do not depend on the order of the names in the query.
    thresholds.sort(([a], [b]) => (a < b ? -1 : 1));
    return { ...plain, ...thresholdsFrom(thresholds) } as Options & { format?: string };
  }
}

/** The parameter `format` of routes that return a result. */
const formatParameter = (formats: readonly string[]): Parameter => ({
  schema: {
    type: 'string',
    enum: formats,
    description: 'Format of the result; overrides the Accept header.',
  },
  parse: (name, text) => {
    if (formats.includes(text)) return text;
    throw refuse(name, `one of ${formats.join(', ')}`, text);
  },
});

/** Queries of the routes. */
export const queriesOf = (formats: readonly string[]) => ({
  none: new Query<object>({}),
  classify: new Query<ImageReadOptions & { name?: string }>({ name: NAME, ...READ }),
  segment: new Query<RoutedSegmentOptions>({
    format: formatParameter(formats),
    name: NAME,
    ...SEGMENT,
    ...READ,
  }),
  submit: new Query<RoutedSegmentOptions>({ name: NAME, ...SEGMENT, ...READ }),
  result: new Query<object>({ format: formatParameter(formats) }),
});
