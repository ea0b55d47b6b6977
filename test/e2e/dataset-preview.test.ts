import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { cellroute } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-preview-'));
const out = join(folder, 'sheet.png');
const data = join(folder, 'data');

beforeAll(async () => {
  for (const name of ['images', 'labels']) mkdirSync(join(data, name), { recursive: true });
  for (const [id, value] of Object.entries({ dark: 20, grey: 120, light: 230 })) {
    const labels = Uint8Array.from({ length: 60 * 40 }, (_, i) => Number(i % 60 < 20 && i < 60 * 20));
    const pixels = labels.map((label) => value - 20 * label);
    const raw = { raw: { width: 60, height: 40, channels: 1 } } as const;
    await sharp(pixels, raw)
      .toColourspace('b-w')
      .png()
      .toFile(join(data, 'images', `${id}.png`));
    await sharp(labels, raw)
      .toColourspace('b-w')
      .png()
      .toFile(join(data, 'labels', `${id}.png`));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const preview = (...args: string[]) =>
  cellroute('dataset', 'preview', data, '--out', out, '--tile', '60', ...args);
const sizeOf = async () => {
  const { width, height } = await sharp(out).metadata();
  return [width, height];
};

test('draws images and samples, which are equal for equal seeds', async () => {
  expect(await preview('--rows', '2', '--samples', '3')).toMatchObject({
    status: 0,
    stdout: `${out}: 3 samples of each of 2 images\n`,
  });
  const [width, height] = await sizeOf();
  expect(width).toBe(4 * 66 + 6);
  expect(height).toBeGreaterThan(2 * 40);
  const first = readFileSync(out);
  await preview('--rows', '2', '--samples', '3');
  expect(readFileSync(out).equals(first)).toBe(true);
  await preview('--rows', '2', '--samples', '3', '--seed', '8');
  expect(readFileSync(out).equals(first)).toBe(false);
});

test('uses a training configuration, and reports the position of an error in it', async () => {
  const config = join(folder, 'config.json');
  writeFileSync(config, '{"transforms": [{"kind": "random-crop", "width": 30, "height": 30}]}');
  expect(await preview('--config', config, '--ids', 'grey', '--samples', '1')).toMatchObject({
    status: 0,
    stderr: '',
  });
  expect((await sizeOf())[0]).toBe(2 * 66 + 6);
  writeFileSync(config, '{\n  "transforms": [{"kind": "random-crop", "width": 0, "height": 30}]\n}');
  const { status, stderr } = await preview('--config', config);
  expect(status).toBe(1);
  expect(stderr).toMatch(/config\.json, line 2, column \d+: .*transforms\[0\]\.width.*\[INVALID_CONFIG\]/);
});

test.each([
  [['--transforms', '[{"kind": "blur"}]'], /--transforms\[0\]\.kind/],
  [['--transforms', '['], /--transforms is not JSON/],
  [['--transforms', '[]', '--config', 'x.json'], /--config and --transforms cannot/],
  [['--ids', 'nobody'], /ids\[0\].*nobody/],
  [['--out', join(folder, 'config.json', 'x.png')], /FILE_UNWRITABLE/],
])('%j is refused', async (args, message) => {
  const { status, stderr } = await preview(...args);
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
});
