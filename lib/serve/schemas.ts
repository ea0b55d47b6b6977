// JSON Schemas of the service's responses, for the OpenAPI document.
import { JOB_STATES } from '../jobs/types.js';
import { ANSWER_TYPES } from './formats.js';
import { PROBLEM_TYPE } from './problem.js';
import type { Schema } from './query.js';
import { FILE_FIELD, IMAGE_TYPES } from './upload.js';

const text = { type: 'string' } as const;
const share = { type: 'number', minimum: 0, maximum: 1 } as const;
const whole = { type: 'integer', minimum: 0 } as const;
const moment = { type: 'string', format: 'date-time' } as const;
const sharesByType = { type: 'object', additionalProperties: share } as const;
const notices = { type: 'array', items: text } as const;
const source = { type: 'object', description: 'What was read of the file, and what else it holds.' } as const;

const objectOf = (properties: Record<string, Schema>, required = Object.keys(properties)): Schema => ({
  type: 'object',
  properties,
  required,
});

export const SCHEMAS = {
  Problem: objectOf(
    {
      type: text,
      title: text,
      status: { type: 'integer' },
      detail: text,
      code: { ...text, description: 'Identifies the kind of error; for comparisons in programs.' },
      option: text,
      expected: text,
      got: text,
    },
    ['type', 'title', 'status', 'detail', 'code'],
  ),
  Job: objectOf(
    {
      id: { type: 'string', format: 'uuid' },
      state: { type: 'string', enum: JOB_STATES },
      submitted: moment,
      started: moment,
      ended: moment,
      progress: objectOf({ stage: text, fraction: share }),
      error: objectOf({ code: text, message: text }),
    },
    ['id', 'state', 'submitted'],
  ),
  Classification: objectOf({ name: text, cellType: text, probabilities: sharesByType, source, notices }, [
    'cellType',
    'probabilities',
  ]),
  Model: objectOf(
    {
      name: text,
      cellTypes: { type: 'array', items: text },
      classifier: objectOf({ architecture: text, device: text }),
      segmenters: {
        type: 'object',
        additionalProperties: {
          type: ['object', 'null'],
          properties: {
            classNames: { type: 'array', items: text },
            precision: text,
            device: text,
            thresholds: { type: 'object' },
          },
        },
      },
      fallback: text,
    },
    ['name', 'cellTypes', 'classifier', 'segmenters'],
  ),
  Result: objectOf(
    {
      format: { type: 'string', const: 'cellroute-result' },
      version: { type: 'integer' },
      name: text,
      cellType: text,
      probabilities: sharesByType,
      segmenter: text,
      width: whole,
      height: whole,
      limitsReached: objectOf({ detections: { type: 'boolean' }, proposals: { type: 'boolean' } }),
      seams: { type: 'object' },
      source,
      notices,
      rle: { type: 'string', const: 'coco' },
      cells: {
        type: 'array',
        items: objectOf({
          box: { type: 'array', items: { type: 'number' }, minItems: 4, maxItems: 4 },
          score: share,
          label: { type: 'integer', minimum: 1 },
          className: text,
          area: whole,
          mask: text,
        }),
      },
    },
    [
      'format',
      'version',
      'cellType',
      'probabilities',
      'segmenter',
      'width',
      'height',
      'limitsReached',
      'rle',
      'cells',
    ],
  ),
} as const satisfies Record<string, Schema>;

const refTo = (name: keyof typeof SCHEMAS) => ({ $ref: `${name}#` });

const binary = { type: 'string', format: 'binary' } as const;

/** A body that is an image, or a form with one. */
export const imageBody = {
  description: 'A PNG, JPEG, WebP or TIFF image.',
  content: {
    ...Object.fromEntries(IMAGE_TYPES.map((type) => [type, { schema: binary }])),
    'multipart/form-data': {
      schema: { type: 'object', required: [FILE_FIELD], properties: { [FILE_FIELD]: binary } },
    },
  },
};

/** Errors with these statuses, which all have the same body. */
const problems = (...statuses: readonly number[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: 'Problem details (RFC 9457)',
        content: { [PROBLEM_TYPE]: { schema: refTo('Problem') } },
      },
    ]),
  );

/** Statuses with which every route may refuse a request. */
const ANY = [400, 401, 403, 500, 503] as const;
/** Statuses of routes that read an image. */
const IMAGE = [408, 413, 415, 422, 429] as const;

const json = (description: string, schema: Schema) => ({
  description,
  content: { 'application/json': { schema } },
});

/** A result in every format. */
const resultAnswer = {
  description: 'The result, in the format that the query or the Accept header selects.',
  content: Object.fromEntries(
    ANSWER_TYPES.map(({ type, description }) => [
      type,
      {
        schema:
          type === 'application/json'
            ? { description, anyOf: [refTo('Result'), { type: 'object' }] }
            : { ...binary, description },
      },
    ]),
  ),
};

export const RESPONSES = {
  segment: { 200: resultAnswer, ...problems(...ANY, ...IMAGE, 406) },
  classify: {
    200: json('The cell type of the image', refTo('Classification')),
    ...problems(...ANY, ...IMAGE),
  },
  models: {
    200: json('The models of this service', objectOf({ models: { type: 'array', items: refTo('Model') } })),
    ...problems(...ANY),
  },
  submit: {
    200: json('The job of an earlier request with this Idempotency-Key', refTo('Job')),
    202: json('The job, which waits or runs', refTo('Job')),
    ...problems(...ANY, ...IMAGE),
  },
  job: { 200: json('The job', refTo('Job')), ...problems(...ANY, 404) },
  result: { 200: resultAnswer, ...problems(...ANY, ...IMAGE, 404, 406, 409, 410) },
  events: {
    200: {
      description:
        'Server-sent events: `job` with the job as JSON now and after each change, until the job has ended.',
      content: { 'text/event-stream': { schema: objectOf({ event: text, id: text, data: text }) } },
    },
    ...problems(...ANY, 404),
  },
  probe: { 200: json('Yes', objectOf({ status: text })), ...problems(500) },
  ready: { 200: json('Images are taken', objectOf({ status: text })), ...problems(500, 503) },
  metrics: {
    200: { description: 'Metrics for Prometheus', content: { 'text/plain': { schema: text } } },
    ...problems(400, 401, 403, 500),
  },
} as const;
