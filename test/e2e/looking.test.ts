import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { cellroute } from '../support/cli.js';
import { listing } from '../support/data-folder.js';
import { image } from '../support/sdk.js';

const folder = mkdtempSync(join(tmpdir(), 'cellroute-looking-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('explain', () => {
  test('writes one heat map to a file', async () => {
    const out = join(folder, 'one', 'heat.webp');
    const { status, stdout } = await cellroute('explain', image.small, '--method', 'grad-cam', '--out', out);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/: fluorescence \([\d.]+\) by grad-cam\n$/)]);
    expect((await sharp(out).metadata()).format).toBe('webp');
  });

  test('writes a heat map and its values for each method', async () => {
    const out = join(folder, 'several');
    const methods = 'integrated-gradients,occlusion';
    const { status, stdout } = await cellroute(
      ...['explain', image.small, '--out', out, '--method', methods, '--steps', '8', '--patch', '112'],
      ...['--target', 'histology', '--numbers'],
    );
    expect(status).toBe(0);
    const stem = listing(out)[0]!.split('.')[0]!;
    expect(listing(out)).toEqual(
      ['integrated-gradients.json', 'integrated-gradients.png', 'occlusion.json', 'occlusion.png'].map(
        (ending) => `${stem}.${ending}`,
      ),
    );
    const { target, values, width, height } = JSON.parse(
      readFileSync(join(out, `${stem}.integrated-gradients.json`), 'utf8'),
    ) as { target: string; values: number[]; width: number; height: number };
    expect(target).toBe('histology');
    expect(values).toHaveLength(width * height);
    const [, sum] = /sum of values (-?[\d.]+), logit difference/.exec(stdout)!;
    expect(values.reduce((total, value) => total + value, 0)).toBeCloseTo(Number(sum), 2);
  });

  test.each<[string, string[], RegExp]>([
    ['an unknown method', ['--method', 'lime'], /Expected a comma-separated list of integrated-gradients/],
    ['an unknown type', ['--target', 'yeast'], /one of fluorescence.* for target/],
    ['two heat maps in one file', ['--method', 'occlusion,grad-cam'], /a folder.*for --out/],
  ])('%s is refused', async (_name, args, message) => {
    const { status, stderr } = await cellroute(
      'explain',
      image.small,
      '--out',
      join(folder, 'no.png'),
      ...args,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });
});

test('report writes one page for a folder, with its failures', async () => {
  const images = join(folder, 'images');
  mkdirSync(images);
  copyFileSync(image.small, join(images, 'a & b.png'));
  copyFileSync(image.medium, join(images, 'c.png'));
  writeFileSync(join(images, 'broken.png'), 'this is not an image');
  const out = join(folder, 'report.html');
  const { status, stdout, stderr } = await cellroute('report', images, '--out', out, '--title', 'Tuesday');
  expect(status).toBe(1);
  expect(stderr).toMatch(/1 of 3 images failed/);
  const [, cells] = /report\.html: (\d+) cells in 2 images/.exec(stdout)!;
  const html = readFileSync(out, 'utf8');
  expect(html).toContain('<title>Tuesday</title>');
  expect(html).toContain('a &amp; b.png');
  expect(html).toMatch(/broken\.png<\/strong>: /);
  const data = JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/.exec(html)![1]!) as {
    images: { name: string; cells: { outline: string[] } }[];
  };
  expect(data.images.map(({ name }) => name)).toEqual(['a & b.png', 'c.png']);
  const outlines = data.images.flatMap((one) => one.cells.outline);
  expect(outlines).toHaveLength(Number(cells));
});
