import sharp from 'sharp';
import { Cells } from '../../lib/inference/cells.js';
import type { Segmentation } from '../../lib/inference/result.js';
import { boxArray } from '../../lib/mask/boxes.js';
import { Masks } from '../../lib/mask/masks.js';
import { escapeHtml, escapeJson } from '../../lib/page/escape.js';
import { outlinePath } from '../../lib/render/outline-path.js';
import { Report } from '../../lib/report/report.js';
import { random } from '../support/weights.js';

const size = { width: 40, height: 30 };

/** Masks of noise with components, holes and touching corners. */
function noise(count: number): Masks {
  const next = random(11);
  const pixels = Uint8Array.from({ length: count * size.width * size.height }, () => Number(next() < 0.6));
  return Masks.encode(pixels, size);
}

function resultOf(masks: Masks): Segmentation {
  const cells = new Cells({
    boxes: boxArray(new Float32Array(4 * masks.length)),
    scores: new Float32Array(masks.length).fill(0.5),
    labels: new Int32Array(masks.length).fill(1),
    areas: masks.areas(),
    masks,
  });
  return { ...size, cells, limitsReached: { detections: false, proposals: false }, scale: 1 };
}

const image = (width = size.width, height = size.height) =>
  ({ data: new Uint8Array(width * height).fill(99), width, height, channels: 1 }) as const;

describe('an outline', () => {
  test('filled by the even-odd rule equals the mask', async () => {
    const masks = noise(3);
    const contours = masks.contours();
    for (let i = 0; i < masks.length; i++) {
      const path = outlinePath(contours.polygons(i));
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><path d="${path}" fill="#fff" fill-rule="evenodd" shape-rendering="crispEdges"/></svg>`;
      const drawn = await sharp(Buffer.from(svg)).extractChannel(3).raw().toBuffer();
      expect(Array.from(drawn, (alpha) => Number(alpha > 127))).toEqual(Array.from(masks.decode(i)));
    }
  });

  test('of a mask without pixels is empty', () => {
    expect(outlinePath([])).toBe('');
  });
});

describe('texts', () => {
  test('are escaped for HTML', () => {
    expect(escapeHtml(`<a href="x" title='y'>&\u0000\ud800`)).toBe(
      '&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;\ufffd\ufffd',
    );
  });

  test('in data are preserved and cannot end the script', () => {
    const data = { '</script>': '<!-- <script> \u2028 "' };
    const text = escapeJson(data);
    expect(text).not.toContain('<');
    expect(JSON.parse(text)).toEqual(data);
  });
});

describe('a report', () => {
  const html = async (report: Report, ...names: string[]) => {
    for (const name of names) await report.add(name, image(), resultOf(noise(2)));
    return report.html();
  };

  test('has no external references', async () => {
    const page = await html(new Report(), 'a.png');
    const links = page.match(/(?:src|href|url|@import|srcset)\s*[=(]\s*["']?[^"')\s>]+/g)!;
    expect(links.length).toBeGreaterThan(2);
    // The table is saved from the page's own data.
    for (const link of links) expect(link).toMatch(/["'(=](data:|#)|^href = URL\.createObjectURL\(new$/);
    expect(page).toContain("default-src 'none'");
  });

  test('has no route without a router, and is valid without images', async () => {
    expect(await html(new Report(), 'a.png')).not.toContain('class="route"');
    expect(await html(new Report())).toContain('<strong>0</strong> images');
  });

  test('lists images sorted by name', async () => {
    const page = await html(new Report(), 'b.png', 'c.png', 'a.png');
    expect(Array.from(page.matchAll(/<h3[^>]*>(\w)\.png/g), ([, name]) => name)).toEqual(['a', 'b', 'c']);
  });

  const embedded = async (report: Report, width: number, height: number) => {
    const masks = Masks.fromKaggle(['1 5'], { width, height });
    await report.add('a.png', image(width, height), { ...resultOf(masks), width, height });
    const [, base64] = /src="data:image\/webp;base64,([^"]+)"/.exec(report.html())!;
    const metadata = await sharp(Buffer.from(base64!, 'base64')).metadata();
    return [metadata.width, metadata.height];
  };

  test('never enlarges embedded images, and reduces large ones, more if there are many', async () => {
    expect(await embedded(new Report(), 40, 30)).toEqual([40, 30]);
    expect(await embedded(new Report(), 3200, 100)).toEqual([1600, 50]);
    expect(await embedded(new Report({ expected: 10_000 }), 3200, 100)).toEqual([100, 3]);
    expect(await embedded(new Report({ maxSide: 320 }), 3200, 100)).toEqual([320, 10]);
  });

  test.each<[string, object, RegExp]>([
    ['an unknown option', { titel: 'x' }, /did you mean title/],
    ['an empty title', { title: '' }, /non-empty string for title/],
    ['a size', { maxSide: 1 }, /from 16 to 16383 for maxSide/],
  ])('%s is refused', (_name, options, message) => {
    expect(() => new Report(options)).toThrow(message);
  });
});
