// The reference of configurations and their JSON Schemas, made from the readers in lib/config/schema.ts and the comments
// above the keys that they read.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { classifierSchema } from '../../lib/config/classifier.js';
import { maskRCNNSchema } from '../../lib/config/mask-rcnn.js';
import type { JsonSchema } from '../../lib/config/schema.js';
import { TRAINING_SCHEMAS } from '../../lib/trainer/config.js';
import { root } from './sdk.js';

/** Source files whose objects of readers have comments. */
const SOURCES = [
  'lib/config/mask-rcnn.ts',
  'lib/config/classifier.ts',
  'lib/config/shared.ts',
  'lib/trainer/config.ts',
];

const CLASSIFIER = 'lib/config/classifier.ts';

/** A comment above a key, and the keys around it: `rpn.anchorSizes`. */
interface Comment {
  path: string[];
  text: string;
}

/** The comments above keys in a source file, with the keys that enclose them in the text. */
function commentsIn(file: string): Comment[] {
  const text = readFileSync(join(root, file), 'utf8');
  const token =
    /\/\*\*([\s\S]*?)\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'\s*(?=:)|'(?:[^'\\\n]|\\.)*'|`[^`]*`|([A-Za-z_$][\w$]*)(?=\s*:)|([A-Za-z_$][\w$]*)(?=\s*[,\n])|[{}=]/g;
  const found: Comment[] = [];
  const keys: string[] = [];
  let comment: string | undefined;
  let key = '';
  const see = (name: string) => {
    key = name;
    if (comment !== undefined) {
      found.push({ path: [...keys.filter((outer) => outer !== ''), name], text: comment });
    }
    comment = undefined;
  };
  for (const [whole, doc, name, shorthand] of text.matchAll(token)) {
    if (doc !== undefined)
      comment = doc
        .replaceAll(/\n\s*\* ?/g, ' ')
        .replaceAll(/\s+/g, ' ')
        .trim();
    else if (name !== undefined) see(name);
    else if (shorthand !== undefined) {
      if (comment !== undefined) see(shorthand);
    } else if (/^'[^']*'\s*$/.test(whole) && comment === undefined) key = whole.trim().slice(1, -1);
    else if (/^'/.test(whole)) {
      if (comment !== undefined) see(whole.trim().slice(1, -1));
    } else if (whole === '=') {
      // A comment above a constant, and the names before its object.
      comment = undefined;
      key = '';
    } else if (whole === '{') {
      keys.push(key);
      key = '';
      comment = undefined;
    } else if (whole === '}') {
      keys.pop();
      comment = undefined;
    }
  }
  return found;
}

/**
 * The description of a key: of the comments above keys of that name whose enclosing keys do not differ, the one that
 * agrees with most; of equal ones the first.
 */
function descriptionOf(comments: readonly Comment[], names: readonly string[]): string | undefined {
  // `schedule(one-cycle)` is a kind of the schedule.
  const path = names.flatMap((name) => name.replace(')', '').split('('));
  const agreement = ({ path: own }: Comment) => {
    const length = Math.min(own.length, path.length);
    const agrees = own.slice(-length).every((key, i) => key === path.slice(-length)[i]);
    return agrees ? length : 0;
  };
  const best = Math.max(1, ...comments.map(agreement));
  return comments.find((comment) => agreement(comment) === best)?.text;
}

/** {@link Dataset} and the like become plain words. */
const plain = (text: string) => text.replaceAll(/\{@link ([^}]*)\}/g, '`$1`');

type Properties = Record<string, JsonSchema>;
const propertiesOf = (schema: JsonSchema) => (schema.properties ?? {}) as Properties;
const partsOf = (schema: JsonSchema) =>
  ((schema.oneOf ?? schema.anyOf) as JsonSchema[] | undefined)?.filter((part) => part.type !== 'null');

/** A schema with the descriptions of its keys. */
function withDescriptions(schema: JsonSchema, comments: readonly Comment[], path: string[]): JsonSchema {
  const inner = (part: JsonSchema) => withDescriptions(part, comments, path);
  const { properties, oneOf, anyOf, ...rest } = schema;
  return {
    ...rest,
    ...(Array.isArray(oneOf) && { oneOf: oneOf.map(inner) }),
    ...(Array.isArray(anyOf) && { anyOf: anyOf.map(inner) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties as Properties).map(([key, value]) => {
          const below = [...path, key];
          const description = descriptionOf(comments, below);
          return [
            key,
            {
              ...(description !== undefined && { description: plain(description) }),
              ...withDescriptions(value, comments, below),
            },
          ];
        }),
      ),
    }),
  };
}

/** The comments of all sources, those of some before the others. */
const allComments = (...first: string[]) => [...new Set([...first, ...SOURCES])].flatMap(commentsIn);

const SCHEMAS = {
  'segmenter-training': {
    title: 'Training of a segmenter (`cellroute train segmenter --config`)',
    schema: TRAINING_SCHEMAS.segmenter,
  },
  'classifier-training': {
    title: 'Training of a classifier (`cellroute train classifier --config`)',
    schema: TRAINING_SCHEMAS.classifier,
  },
} as const;

/** The JSON Schemas by file name. */
export function schemaFiles(): Record<string, string> {
  const { segmenter, classifier } = TRAINING_SCHEMAS;
  const described = {
    segmenter: withDescriptions(segmenter, allComments(), []),
    classifier: withDescriptions(classifier, allComments(CLASSIFIER), []),
  };
  const file = (title: string, schema: JsonSchema) => {
    const properties = { $schema: { type: 'string' }, ...propertiesOf(schema) };
    const whole = { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema, properties };
    return `${JSON.stringify(whole, null, 2)}\n`;
  };
  return {
    'segmenter-training.schema.json': file('cellroute: training of a segmenter', described.segmenter),
    'classifier-training.schema.json': file('cellroute: training of a classifier', described.classifier),
    'ensemble-training.schema.json': file('cellroute: training of an ensemble', {
      type: 'object',
      properties: {
        classifier: described.classifier,
        segmenter: described.segmenter,
        segmenters: { type: 'object', additionalProperties: described.segmenter },
      },
      additionalProperties: false,
    }),
  };
}

/** docs/configuration-reference.md */
export function referencePage(): string {
  const sections = [
    { title: 'Network of a segmenter (`network`)', schema: maskRCNNSchema, first: 'lib/config/mask-rcnn.ts' },
    { title: 'Network of a classifier (`network`)', schema: classifierSchema, first: CLASSIFIER },
    ...Object.values(SCHEMAS).map((own) => ({ ...own, first: 'lib/trainer/config.ts' })),
  ];
  return [
    '# Configuration reference',
    '',
    'Every value of a configuration, with its type, range and default. This page and the JSON Schemas in [schemas](schemas) are',
    'generated from `lib/config/schema.ts` and the comments beside it: `UPDATE_REFERENCE=1 npx jest test/docs/config-reference`.',
    'An editor completes and checks a configuration whose first key is `"$schema": "…/segmenter-training.schema.json"`.',
    '',
    ...sections.flatMap(({ title, schema, first }) => [
      `## ${title}`,
      '',
      '| value | type | default | meaning |',
      '| --- | --- | --- | --- |',
      ...rows(schema, allComments(first), []),
      '',
    ]),
  ].join('\n');
}

function rows(schema: JsonSchema, comments: readonly Comment[], path: string[]): string[] {
  return Object.entries(propertiesOf(schema)).flatMap(([key, value]) => {
    if (key === 'version' || (key === 'kind' && path.length === 0)) return [];
    const below = [...path, key];
    // The networks have separate sections.
    const inner = key === 'network' ? [] : below;
    const parts = key === 'transforms' ? undefined : partsOf(value);
    const objects = parts?.filter((part) => part.properties !== undefined) ?? [];
    const row = `| \`${below.join('.')}\` | ${typeOf(key, value)} | ${defaultOf(value)} | ${escaped(plain(descriptionOf(comments, below) ?? ''))} |`;
    if (value.properties !== undefined) {
      const own = descriptionOf(comments, below);
      return [
        ...(own || key === 'network' ? [row] : []),
        ...(inner.length > 0 ? rows(value, comments, below) : []),
      ];
    }
    if (objects.length === 0) return [row];
    return [
      row,
      ...objects.flatMap((part) => {
        const kind = (propertiesOf(part).kind?.const as string | undefined) ?? '';
        const { kind: _, ...others } = propertiesOf(part);
        return rows({ properties: others }, comments, kind ? [...path, `${key}(${kind})`] : below);
      }),
    ];
  });
}

const escaped = (text: string) => text.replaceAll('|', '\\|');

function typeOf(key: string, schema: JsonSchema): string {
  if (key === 'transforms') return 'array of transforms';
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (Array.isArray(schema.enum)) return schema.enum.map((word) => `\`${String(word)}\``).join(', ');
  if (schema.properties !== undefined) return 'object';
  const parts = partsOf(schema);
  if (parts) {
    const kinds = parts.flatMap((part) => (propertiesOf(part).kind?.const as string | undefined) ?? []);
    const names =
      kinds.length > 0
        ? [`kind ${kinds.map((kind) => `\`${kind}\``).join(', ')}`]
        : parts.map((part) => typeOf('', part));
    const nullable = (schema.anyOf as JsonSchema[] | undefined)?.some((part) => part.type === 'null');
    return [...new Set(names), ...(nullable ? ['null'] : [])].join(' or ');
  }
  const { minimum, maximum, type } = schema;
  if (type === 'array') return `array of ${typeOf('', schema.items as JsonSchema)}`;
  if (type !== 'number' && type !== 'integer') return String(type ?? 'any');
  if (minimum !== undefined && maximum !== undefined) return `${type}, ${minimum} to ${maximum}`;
  return minimum === undefined ? String(type) : `${type}, at least ${minimum}`;
}

function defaultOf(schema: JsonSchema): string {
  const { default: value } = schema;
  if (value === undefined) return '';
  const text = JSON.stringify(value);
  return `\`${text.length > 60 ? `${text.slice(0, 57)}…` : text}\``;
}
