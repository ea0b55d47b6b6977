import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { maskRCNNConfig, maskRCNNSchema } from '../../lib/config/mask-rcnn.js';
import type { JsonSchema } from '../../lib/config/schema.js';
import { segmenterTraining, TRAINING_SCHEMAS } from '../../lib/trainer/config.js';
import { referencePage, schemaFiles } from '../support/config-reference.js';
import { root } from '../support/sdk.js';

const files = () => ({
  ...Object.fromEntries(Object.entries(schemaFiles()).map(([name, text]) => [`docs/schemas/${name}`, text])),
  'docs/configuration-reference.md': referencePage(),
});

test('the reference and the JSON Schemas are those of the readers', () => {
  for (const [path, text] of Object.entries(files())) {
    const full = join(root, path);
    if (process.env.UPDATE_REFERENCE) {
      mkdirSync(join(full, '..'), { recursive: true });
      writeFileSync(full, text);
    }
    // Line breaks and the widths of columns are the formatter's.
    const words = (page: string) =>
      page
        .replaceAll(/[\s-]+/g, ' ')
        .replaceAll(' |', '|')
        .replaceAll('| ', '|');
    const content = (file: string) => (path.endsWith('.json') ? JSON.parse(file) : words(file));
    expect(content(readFileSync(full, 'utf8'))).toEqual(content(text));
  }
});

/** Every key of an object of readers, `a.b`. */
const keysOf = (schema: JsonSchema, path = ''): string[] =>
  Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).flatMap(([key, value]) => [
    path + key,
    ...keysOf(value, `${path}${key}.`),
  ]);
const leavesOf = (value: object, path = ''): string[] =>
  Object.entries(value).flatMap(([key, inner]) => [
    path + key,
    ...(typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? leavesOf(inner, `${path}${key}.`)
      : []),
  ]);

test('a schema has every key of the configuration, and a default for each', () => {
  const config = maskRCNNConfig();
  // Null stands for an object whose keys the schema has under anyOf.
  const keys = keysOf(maskRCNNSchema);
  for (const key of leavesOf({ ...config, resize: null })) expect(keys).toContain(key);
  const training = Object.keys(segmenterTraining());
  expect(Object.keys(TRAINING_SCHEMAS.segmenter.properties as object).sort()).toEqual(training.sort());
});

test('nearly every value is described', () => {
  const rows = referencePage()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const bare = rows.filter((line) => /\|\s*\|$/.test(line.trim()));
  expect(rows.length).toBeGreaterThan(100);
  expect(bare.length / rows.length).toBeLessThan(0.45);
});
