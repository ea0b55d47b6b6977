import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConvertOptions, convertWeights, inspectWeights } from '../../../lib/index.js';
import { rejection, testEnsemble } from '../../support/sdk.js';

const input = join(testEnsemble, 'classifier.safetensors');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-convert-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(['safetensors', 'pth'])('metadata are added to those of the input in .%s', async (ending) => {
  const output = join(folder, `added.${ending}`);
  const { metadata } = await convertWeights(input, output, { metadata: { author: '', note: 'a "text"' } });
  expect((await inspectWeights(output)).metadata).toEqual({ ...metadata, author: '', note: 'a "text"' });
});

test.each<[string, object, string]>([
  ['a number in metadata', { metadata: { a: 5 } }, 'metadata.a'],
  ['a missing text in metadata', { metadata: { a: undefined } }, 'metadata.a'],
  ['metadata of null', { metadata: null }, 'metadata'],
  ['a configuration that JSON cannot represent', { config: { a: 1n } }, 'config'],
  ['a configuration of null', { config: null }, 'config'],
])('%s: refused before a file is written', async (_, options, option) => {
  const output = join(folder, 'refused.safetensors');
  const error = await rejection(convertWeights(input, output, options as ConvertOptions));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option } });
  expect(existsSync(output)).toBe(false);
});
