import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { openDataset } from '../../lib/data/open.js';
import { Masks } from '../../lib/mask/masks.js';
import type { Edits } from '../../lib/review/edits.js';
import { type Review, type ReviewOptions, startReview } from '../../lib/train.js';
import { describeBrowser, launch } from '../support/browser.js';
import {
  ask,
  pixelInPolygon,
  type Rectangle,
  rectangles,
  routedResult,
  writeImage,
  writeResult,
} from '../support/review.js';

const size = { width: 120, height: 80 };
const boxes: Rectangle[] = [
  [5, 5, 25, 20],
  [40, 10, 70, 30],
  [80, 40, 110, 70],
];
const hostile = `z<img src=x onerror="window.hacked=1">.png`;

describeBrowser('the page of a review in Chromium', () => {
  let browser: Browser;
  let page: Page;
  let review: Review;
  let folder: string;
  const complaints: string[] = [];
  const asked: string[] = [];
  /** Origins of the reviews. */
  const origins = new Set<string>();
  const path = (...names: string[]) => join(folder, ...names);

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cellroute-review-'));
    for (const name of ['a.png', 'b.tif', hostile]) {
      await writeImage(path('images'), name, size, boxes);
      writeResult(
        path('results'),
        name,
        routedResult(rectangles(boxes, size), name === 'b.tif' ? 'cort' : 'astro'),
      );
    }
    complaints.length = 0;
    asked.length = 0;
  });
  afterEach(async () => {
    await page?.close();
    await review?.close();
    rmSync(folder, { recursive: true, force: true });
    expect(complaints).toEqual([]);
    expect(asked.filter((url) => !origins.has(new URL(url).origin) && !url.startsWith('data:'))).toEqual([]);
  });

  async function newPage(viewport = { width: 1280, height: 800 }, allowed = /^$/) {
    const opened = await browser.newPage({ viewport });
    opened.setDefaultTimeout(90_000);
    opened.on('request', (request) => asked.push(request.url()));
    opened.on('console', (message) => {
      if (message.type() === 'error' && !allowed.test(message.text())) complaints.push(message.text());
    });
    opened.on('pageerror', (error) => complaints.push(String(error)));
    return opened;
  }

  async function start(options: Partial<ReviewOptions> = {}, allowed?: RegExp) {
    review = await startReview(path('results'), {
      images: path('images'),
      out: path('corrected'),
      ...options,
    });
    origins.add(new URL(review.url).origin);
    page = await newPage(undefined, allowed);
    await page.goto(review.url);
    await said(/120 × 80 pixels/);
  }

  const said = (text: RegExp, where = page) => where.locator('#said').filter({ hasText: text }).waitFor();
  const saved = (where = page) =>
    where
      .locator('#saved')
      .filter({ hasText: /^Saved$/ })
      .waitFor();
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const times = (count: number, key: string) => Array.from({ length: count }, () => key);
  const count = async (state: string) =>
    Number(/^\d+/.exec((await page.locator('#counts li', { hasText: state }).textContent())!)![0]);
  const stored = async (image = 0) =>
    (await ask(review.url, `images/${image}`)).json() as {
      revision: number;
      reviewed: boolean;
      edits: Edits;
    };
  /** Place of a point of the image on the page, while the whole image is shown. */
  async function onPage(x: number, y: number): Promise<[number, number]> {
    const stage = (await page.locator('#stage').boundingBox())!;
    const scale = Math.min(stage.width / size.width, stage.height / size.height);
    return [
      stage.x + (stage.width - size.width * scale) / 2 + x * scale,
      stage.y + (stage.height - size.height * scale) / 2 + y * scale,
    ];
  }
  const masksOf = async (id: string): Promise<Masks> => {
    const { items } = await openDataset(path('corrected'));
    return (await items.find((item) => item.id === id)!.load()).masks;
  };

  test('a whole review with the keyboard: delete, draw, undo, redo, mark, next image, finish', async () => {
    await start();
    await press('j');
    await said(/^Cell 1 of 3, predicted, 300 pixels, score 1\.00$/);
    await press('Delete');
    await said(/^Cell deleted: 2 cells\. Cell 1 of 2/);
    // A polygon: the cross starts in the middle of the image, at 60, 40.
    await press('p', ' ', ...times(2, 'Shift+ArrowRight'), ' ', ...times(10, 'ArrowDown'), ' ');
    await said(/^Corner 3 at 80, 50\.$/);
    await press(...times(2, 'Shift+ArrowLeft'), ' ', 'Enter');
    await said(/^Cell added: 3 cells\.$/);
    await press('Control+z', 'Control+z');
    await said(/^Undone\.$/);
    expect([await count('removed'), await count('added')]).toEqual([0, 0]);
    await press('Control+z');
    await said(/^There is nothing to undo\.$/);
    await press('Control+y', 'Control+Shift+z');
    expect([await count('removed'), await count('added')]).toEqual([1, 1]);
    await press('m');
    await saved();
    expect(await stored()).toMatchObject({ reviewed: true });
    await press('n');
    await said(/^b\.tif: 3 cells/);
    await press('b');
    await said(/^a\.png: 3 cells/);
    // Undo works after coming back.
    await press('Control+z');
    expect(await count('added')).toBe(0);
    await press('Control+y');
    await saved();
    await page.getByRole('button', { name: 'Finish' }).focus();
    await press('Enter');
    await page.getByText('1 of 3 images reviewed. Cells: 1 removed, 0 changed, 1 added.').waitFor();
    expect(await review.finished).toMatchObject({ reviewed: 1, removed: 1, changed: 0, added: 1 });
    const wanted = rectangles([boxes[1]!, boxes[2]!, [60, 40, 80, 50]], size);
    expect((await masksOf('a')).toCoco()).toEqual(wanted.toCoco());
  });

  test('a polygon that is clicked has the pixels inside its outline', async () => {
    await start();
    await page.getByRole('button', { name: 'Polygon' }).click();
    const corners = [
      [10, 40],
      [30.5, 45],
      [45, 70.25],
      [20, 75],
      [8, 60],
    ];
    for (const [x, y] of [...corners, corners[0]!]) await page.mouse.click(...(await onPage(x!, y!)));
    await said(/^Cell added/);
    await press('m');
    await saved();
    const { edits } = await stored();
    const polygon = edits.added[0]!.polygons[0]!;
    // Clicks are on whole pixels of the screen.
    for (const [i, value] of polygon.entries()) {
      expect(Math.abs(value - corners.flat()[i]!)).toBeLessThan(0.25);
    }
    const pixels = (await masksOf('a')).decode(3);
    for (let i = 0; i < pixels.length; i++) {
      const { inside, distance } = pixelInPolygon(polygon, i % size.width, Math.floor(i / size.width));
      if (distance >= 0.2) expect([i, pixels[i]]).toEqual([i, Number(inside)]);
    }
  });

  test('freehand drawing adds a cell where the pointer went', async () => {
    await start();
    await press('f');
    await page.mouse.move(...(await onPage(30, 40)));
    await page.mouse.down();
    for (let i = 1; i <= 40; i++) {
      const angle = (2 * Math.PI * i) / 40;
      await page.mouse.move(...(await onPage(20 + 10 * Math.cos(angle), 40 + 10 * Math.sin(angle))));
    }
    await page.mouse.up();
    await said(/^Cell added/);
    await saved();
    const polygon = (await stored()).edits.added[0]!.polygons[0]!;
    expect(polygon.length).toBeGreaterThan(12);
    for (let i = 0; i < polygon.length; i += 2) {
      expect(Math.abs(Math.hypot(polygon[i]! - 20, polygon[i + 1]! - 40) - 10)).toBeLessThan(0.6);
    }
    // With keys: the pen is put down in the middle, and draws a rectangle of 20 x 10 pixels.
    const edges = ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowLeft'].map(
      (key) => `Shift+${key}`,
    );
    await press('Escape', 'f', ' ', ...edges, 'Enter');
    await said(/^Cell added: 5 cells/);
    await press('m');
    await saved();
    expect((await masksOf('a')).select([4]).toCoco()).toEqual(rectangles([[60, 40, 80, 50]], size).toCoco());
  });

  test('a selected cell is drawn again, and stays the same cell', async () => {
    await start();
    await page.mouse.click(...(await onPage(50, 20)));
    await said(/^Cell 2 of 3/);
    await press('r', ' ', ...times(1, 'Shift+ArrowRight'), ' ', ...times(1, 'Shift+ArrowDown'), ' ', 'Enter');
    await said(/^Cell drawn again\.$/);
    await saved();
    expect((await stored()).edits).toEqual({
      removed: [],
      changed: [{ cell: 1, polygons: [[60, 40, 70, 40, 70, 50]] }],
      added: [],
    });
    expect(await page.getByRole('button', { name: 'Select', exact: true }).getAttribute('aria-pressed')).toBe(
      'true',
    );
  });

  test('corners are moved, added and deleted, by keys and by dragging', async () => {
    await start();
    await press('j', 'e');
    // The first corner of the rectangle, then the second one.
    await press('ArrowLeft', 'ArrowUp', 'j', 'Shift+ArrowRight');
    await saved();
    const [ring] = (await stored()).edits.changed[0]!.polygons!;
    expect(ring).toEqual([4, 4, 35, 5, 25, 20, 5, 20]);
    await press('i', 'ArrowDown', 'Delete');
    await saved();
    expect((await stored()).edits.changed[0]!.polygons).toEqual([ring]);
    await press('k', 'Delete');
    await saved();
    expect((await stored()).edits.changed[0]!.polygons![0]).toHaveLength(6);
    await press('Delete');
    await said(/three corners or more/);
    // Another cell is chosen by a click, and a side of it is dragged out.
    await page.mouse.click(...(await onPage(95, 55)));
    await said(/^Cell 3 of 3/);
    await page.mouse.move(...(await onPage(95, 40)));
    await page.mouse.down();
    await page.mouse.move(...(await onPage(95, 35)));
    await page.mouse.move(...(await onPage(95, 30)));
    await page.mouse.up();
    await saved();
    const { polygons } = (await stored()).edits.changed.find(({ cell }) => cell === 2)!;
    expect(polygons![0]).toHaveLength(10);
    expect(Math.min(...polygons![0]!.filter((_, i) => i % 2 === 1))).toBeCloseTo(30, 0);
  });

  test('corners that are only looked at change nothing', async () => {
    await start();
    await press('j', 'e', 'j', 'j', 'Escape');
    expect(await count('changed')).toBe(0);
    expect(await stored()).toMatchObject({ revision: 0 });
  });

  test('classes and cell types are changed where there are several', async () => {
    await start({ classes: ['debris'] });
    await press('j', '2');
    await said(/^Class: debris\.$/);
    expect(await page.getByLabel('Class').inputValue()).toBe('debris');
    await page.getByLabel('Cell type').selectOption('cort');
    await page.locator('#stage').focus();
    // New cells have the class that was chosen last.
    await press('p', ' ', 'Shift+ArrowRight', ' ', 'Shift+ArrowDown', ' ', 'Enter', 'm');
    await saved();
    expect(await stored()).toMatchObject({
      edits: {
        changed: [{ cell: 0, class: 'debris' }],
        added: [{ class: 'debris' }],
        cellType: 'cort',
      },
    });
    await press('s', 'k', 'k', 'k', '1');
    await saved();
    const data = await openDataset(path('corrected'));
    expect(data.classNames).toEqual(['cell', 'debris']);
    expect(data.items[0]!.cellType).toBe('cort');
  });

  test('controls that change nothing are hidden', async () => {
    await start();
    expect(await page.getByLabel('Class').isVisible()).toBe(false);
    expect(await page.getByLabel('Cell type').isVisible()).toBe(true);
  });

  test('a reload shows what was saved, in the image that was shown last', async () => {
    await start();
    await press('n');
    await said(/^b\.tif/);
    await press('j', 'Delete');
    await saved();
    await page.reload();
    await said(/^b\.tif: 2 cells/);
    expect(await count('removed')).toBe(1);
  });

  test('changes are kept and sent again while the server does not answer', async () => {
    await start({}, /Failed to load resource|net::ERR_FAILED/);
    await page.route('**/images/0', (route) => route.abort());
    await press('j', 'Delete');
    await page
      .locator('#saved')
      .filter({ hasText: /does not answer/ })
      .waitFor();
    await press('n');
    await said(/not saved yet/);
    expect((await stored()).revision).toBe(0);
    await page.unroute('**/images/0');
    await saved();
    expect((await stored()).edits.removed).toEqual([0]);
  });

  test('a lost response is not a conflict', async () => {
    await start({}, /Failed to load resource|net::ERR_FAILED|409/);
    let lost = 0;
    await page.route('**/images/0', async (route) => {
      if (route.request().method() !== 'PUT' || lost > 0) return route.continue();
      lost++;
      await route.fetch();
      return route.abort();
    });
    await press('j', 'Delete');
    await saved();
    expect(lost).toBe(1);
    expect(await page.locator('#conflict').isVisible()).toBe(false);
    await press('Delete');
    await saved();
    expect(await stored()).toMatchObject({ revision: 2, edits: { removed: [0, 1] } });
  });

  test('of two tabs, the second asks which version is kept', async () => {
    for (const [button, removed] of [
      ["The other tab's version", [0]],
      ['This version', [2]],
    ] as const) {
      const out = path(`corrected ${removed}`);
      await review?.close();
      await page?.close();
      await start({ out }, /409/);
      const other = await newPage();
      await other.goto(review.url);
      await said(/120 × 80 pixels/, other);
      await other.keyboard.press('j');
      await other.keyboard.press('Delete');
      await saved(other);
      await press('k', 'Delete');
      const choice = page.getByRole('button', { name: button });
      await choice.waitFor();
      await page.keyboard.press('Escape');
      expect(await choice.isVisible()).toBe(true);
      await choice.focus();
      await press('Enter');
      await saved();
      expect((await stored()).edits.removed).toEqual(removed);
      expect(await count('removed')).toBe(1);
      await other.close();
    }
  });

  test('zoom and pan keep outlines on the image', async () => {
    await start();
    await press('j', '+', '+', '+', 'ArrowRight', 'ArrowDown');
    await page.mouse.move(...(await onPage(60, 40)));
    await page.mouse.wheel(0, -400);
    await press('0');
    // A drag moves the image, and selects nothing.
    await press('Escape');
    await said(/^No cell is selected\.$/);
    await page.mouse.move(...(await onPage(15, 12)));
    await page.mouse.down();
    await page.mouse.move(...(await onPage(25, 22)), { steps: 4 });
    await page.mouse.up();
    expect(await page.locator('#said').textContent()).toBe('No cell is selected.');
    await page.mouse.click(...(await onPage(25, 22)));
    await said(/^Cell 1 of 3/);
  });

  test('brightness and contrast change what is shown, not what is saved', async () => {
    await start();
    const filter = () =>
      page.locator('#pixels').evaluate((canvas: { style: { filter: string } }) => canvas.style.filter);
    await page.getByLabel('Brightness').focus();
    await press('ArrowRight', 'ArrowRight');
    expect(await filter()).toBe('brightness(1.2) contrast(1)');
    // Keys of a control are not those of the image.
    await press('Delete');
    expect(await count('removed')).toBe(0);
    await page.getByRole('button', { name: 'Reset display' }).click();
    expect(await filter()).toBe('');
    expect((await stored()).revision).toBe(0);
  });

  test('everything can be reached by Tab, has a name, and shows its focus', async () => {
    await start({ classes: ['debris'] });
    const wanted = await page
      .locator('button:visible:enabled, select:visible, input:visible, summary:visible')
      .count();
    const names = new Set<string>();
    await page.locator('h1').click();
    for (let i = 0; i < wanted + 12; i++) {
      await press('Tab');
      const focused = (await page.evaluate(`(() => {
        const element = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        const name = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent;
        return { id: element.id || element.dataset.tool || element.tagName, name: name.trim(), outlineStyle, outlineWidth };
      })()`)) as { id: string; name: string; outlineStyle: string; outlineWidth: string };
      if (focused.id === 'BODY') continue;
      expect(focused).toMatchObject({ outlineStyle: 'solid', outlineWidth: '3px' });
      expect(focused.name).toMatch(/./);
      names.add(focused.id);
    }
    // All of these and the stage.
    expect(names.size).toBe(wanted + 1);
  });

  test('names of images are text', async () => {
    await start();
    await page.getByLabel('Image', { exact: true }).selectOption({ label: hostile });
    await said(/120 × 80 pixels/);
    expect(await page.title()).toBe(`${hostile}: cellroute review`);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
  });

  test('a phone shows image, tools and details below each other, and touches draw', async () => {
    await start();
    const phone = await browser.newContext({
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    });
    const small = await phone.newPage();
    await small.goto(review.url);
    await said(/120 × 80 pixels/, small);
    const wide = await small.evaluate('document.documentElement.scrollWidth');
    expect(wide).toBeLessThanOrEqual(390);
    await small.getByRole('button', { name: 'Polygon' }).tap();
    const stage = (await small.locator('#stage').boundingBox())!;
    expect(stage.width).toBe(390);
    for (const [x, y] of [
      [0.4, 0.45],
      [0.6, 0.45],
      [0.5, 0.55],
      [0.4, 0.45],
    ] as const) {
      await small.touchscreen.tap(stage.x + x * stage.width, stage.y + y * stage.height);
    }
    await said(/^Cell added/, small);
    await saved(small);
    expect((await stored()).edits.added).toHaveLength(1);
    await phone.close();
  });

  test('4000 x 4000 pixels with 2,500 cells', async () => {
    const side = 4000;
    const masks = circles(side, 50);
    await writeImage(path('large-images'), 'large.png', { width: side, height: side });
    writeResult(path('large'), 'large.png', routedResult(masks, 'astro'));
    review = await startReview(path('large'), { images: path('large-images'), out: path('corrected') });
    origins.add(new URL(review.url).origin);
    page = await newPage();
    await page.goto(review.url);
    await said(/^large\.png: 2500 cells, 4000 × 4000 pixels\.$/);
    const nodes = await page.evaluate('document.querySelectorAll("*").length');
    expect(nodes).toBeLessThan(200);
    await press('+', '+', '+', 'ArrowRight', 'j', 'Delete', 'Delete', 'Control+z', 'm');
    await saved();
    expect((await stored()).edits.removed).toEqual([0]);
    const rest = Array.from({ length: 2499 }, (_, i) => i + 1);
    expect((await masksOf('large')).toCoco()).toEqual(masks.select(rest).toCoco());
  });
});

/** Discs in a grid of `count` × `count`. */
function circles(side: number, count: number): Masks {
  const labels = new Uint16Array(side * side);
  const cell = side / count;
  for (let i = 0; i < count * count; i++) {
    const [cx, cy] = [((i % count) + 0.5) * cell, (Math.floor(i / count) + 0.5) * cell];
    const radius = 0.25 * cell + (i % 7);
    for (let y = Math.floor(cy - radius); y <= cy + radius; y++) {
      for (let x = Math.floor(cx - radius); x <= cx + radius; x++) {
        if ((x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 <= radius ** 2) labels[y * side + x] = i + 1;
      }
    }
  }
  return Masks.fromLabels(labels, { width: side, height: side }).masks;
}
