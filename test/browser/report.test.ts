import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'csv-parse/sync';
import type { Browser, Page } from 'playwright-core';
import type { RawImage } from '../../lib/image/types.js';
import { Cells } from '../../lib/inference/cells.js';
import type { RoutedSegmentation } from '../../lib/inference/result.js';
import { boxArray } from '../../lib/mask/boxes.js';
import { Masks } from '../../lib/mask/masks.js';
import { Report } from '../../lib/report/report.js';
import { describeBrowser, launch } from '../support/browser.js';

const hostile = `</script><img src=x onerror="window.hacked=1">"'&.png`;

/** Cells in a grid, `step` pixels apart, each wider than the previous one. */
function resultOf(side: number, step: number, type: string): RoutedSegmentation {
  const labels = new Uint32Array(side * side);
  let count = 0;
  for (let top = 0; top + step <= side; top += step) {
    for (let left = 0; left + step <= side; left += step) {
      count++;
      const wide = 2 + (count % (step - 3));
      for (let y = top; y < top + step - 2; y++) labels.fill(count, y * side + left, y * side + left + wide);
    }
  }
  const { masks } = Masks.fromLabels(labels, { width: side, height: side });
  const cells = new Cells({
    boxes: boxArray(new Float32Array(4 * count)),
    scores: Float32Array.from({ length: count }, (_, i) => 1 - i / (2 * count)),
    labels: new Int32Array(count).fill(1),
    areas: masks.areas(),
    masks,
  });
  return {
    width: side,
    height: side,
    cells,
    limitsReached: { detections: false, proposals: false },
    scale: 1,
    cellType: type,
    segmenter: type,
    probabilities: { [type]: 0.9, other: 0.1 },
  };
}

const grey = (side: number): RawImage => ({
  data: new Uint8Array(side * side).fill(110),
  width: side,
  height: side,
  channels: 1,
});

describeBrowser('a report in Chromium', () => {
  let browser: Browser;
  let page: Page;
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-report-'));
  const asked: string[] = [];
  const complaints: string[] = [];
  const [few, many] = [resultOf(60, 20, 'astro'), resultOf(808, 8, '<b>cort</b>')];

  beforeAll(async () => {
    const report = new Report({ title: 'A run <script>window.hacked = 1</script>', expected: 2 });
    await report.add('b.png', grey(808), many);
    await report.add(hostile, grey(60), few);
    report.addFailure('<i>broken</i>.png', 'The PNG cannot be read: <u>end</u>');
    const file = join(folder, 'report.html');
    writeFileSync(file, report.html());
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
    page.on('request', (request) => asked.push(request.url().slice(0, 30)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(pathToFileURL(file).href);
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  const image = (name: string) => page.getByRole('article', { name, exact: true });
  /** Number of drawn pixels of an image's canvas, after it has stopped moving. */
  const drawn = (name: string) =>
    image(name)
      .locator('canvas')
      .evaluate(
        (canvas: { width: number; height: number; getContext(kind: '2d'): CanvasPixels }) =>
          new Promise<number>((resolve) => {
            setTimeout(() => {
              const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
              resolve(data.filter((value, i) => i % 4 === 3 && value > 0).length);
            }, 100);
          }),
      );
  const zoomOf = async (name: string) => {
    await page.waitForTimeout(50);
    const transform = await image(name)
      .locator('img')
      .evaluate((image: { style: { transform: string } }) => image.style.transform);
    const [, x, y, zoom] = /translate\(([-\d.]+)px, ([-\d.]+)px\) scale\(([\d.]+)\)/
      .exec(transform)!
      .map(Number);
    return { x: x!, y: y!, zoom: zoom! };
  };
  const rows = () => page.locator('#cells tbody tr');
  const column = (index: number) => page.locator(`#cells tbody td:nth-child(${index + 1})`).allTextContents();

  test('shows names as text and runs no script in them', async () => {
    await expect(page.title()).resolves.toBe('A run <script>window.hacked = 1</script>');
    await expect(image(hostile).getByRole('heading').textContent()).resolves.toBe(hostile);
    await expect(page.getByRole('link', { name: hostile }).count()).resolves.toBe(1);
    await expect(page.getByText('<i>broken</i>.png').count()).resolves.toBe(1);
    await expect(page.evaluate('window.hacked')).resolves.toBeUndefined();
  });

  test('switches the outlines of one image and of all images', async () => {
    await image(hostile).scrollIntoViewIfNeeded();
    const before = await drawn(hostile);
    expect(before).toBeGreaterThan(500);
    await image(hostile).getByLabel('Outlines').uncheck();
    expect(await drawn(hostile)).toBe(0);
    await image(hostile).getByLabel('Tint').check();
    expect(await drawn(hostile)).toBeGreaterThan(before);
    await image(hostile).getByLabel('Tint').uncheck();
    await page.getByLabel('Outlines in all images').uncheck();
    await page.getByLabel('Outlines in all images').check();
    await image(hostile).scrollIntoViewIfNeeded();
    expect(await drawn(hostile)).toBe(before);
  });

  test('zooms and moves by buttons, keys, wheel and dragging', async () => {
    const stage = image(hostile).locator('.stage');
    await stage.scrollIntoViewIfNeeded();
    await image(hostile).getByRole('button', { name: 'Zoom in' }).click();
    expect((await zoomOf(hostile)).zoom).toBeCloseTo(1.5, 5);
    await stage.press('+');
    const near = await zoomOf(hostile);
    expect(near.zoom).toBeCloseTo(2.25, 5);
    await stage.press('ArrowRight');
    expect((await zoomOf(hostile)).x).toBeCloseTo(near.x - 60, 3);
    const box = (await stage.boundingBox())!;
    await page.mouse.move(box.x + 100, box.y + 100);
    await page.mouse.down();
    await page.mouse.move(box.x + 130, box.y + 110);
    await page.mouse.up();
    expect((await zoomOf(hostile)).x).toBeCloseTo(near.x - 30, 3);
    await page.mouse.wheel(0, -300);
    expect((await zoomOf(hostile)).zoom).toBeGreaterThan(4);
    await stage.press('0');
    expect(await zoomOf(hostile)).toEqual({ x: 0, y: 0, zoom: 1 });
  });

  test('describes the clicked cell', async () => {
    const stage = image(hostile).locator('.stage');
    await stage.scrollIntoViewIfNeeded();
    const { width } = (await stage.boundingBox())!;
    // Cell 2 starts at column 20, in the first row.
    await stage.click({ position: { x: (21 / 60) * width, y: (5 / 60) * width } });
    const area = few.cells.areas[1]!;
    await expect(image(hostile).getByRole('status').textContent()).resolves.toMatch(
      new RegExp(`Cell 2: score .*${area} pixels`),
    );
    await stage.click({ position: { x: (19 / 60) * width, y: (19 / 60) * width } });
    await expect(image(hostile).getByRole('status').textContent()).resolves.toBe('');
  });

  test('shows 10,000 cells in a table with pages and sorting', async () => {
    const total = few.cells.length + many.cells.length;
    expect(total).toBeGreaterThan(10_000);
    expect(await rows().count()).toBe(50);
    const pages = page.locator('#pages');
    await expect(pages.textContent()).resolves.toBe(`Cells 1 to 50 of ${total.toLocaleString('en')}`);
    const all = [...few.cells.areas, ...many.cells.areas].sort((a, b) => b - a);
    await page.getByRole('button', { name: 'Area' }).click();
    expect((await column(4)).map(Number)).toEqual(all.slice(0, 50));
    await page.getByRole('button', { name: 'Next' }).click();
    expect((await column(4)).map(Number)).toEqual(all.slice(50, 100));
    await page.getByRole('button', { name: 'Area' }).click();
    expect((await column(4)).map(Number)).toEqual(all.slice(-50).reverse());
    await expect(page.locator('th[data-key=area]').getAttribute('aria-sort')).resolves.toBe('ascending');
    await page.getByLabel('Cells of').selectOption({ label: hostile });
    expect(await rows().count()).toBe(few.cells.length);
    expect(new Set(await column(0))).toEqual(new Set([hostile]));
    expect(new Set(await column(1))).toEqual(new Set(['astro']));
  });

  test('saves the cells that the table has as CSV', async () => {
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save as CSV' }).click();
    const saved = await download;
    expect(saved.suggestedFilename()).toBe('cells.csv');
    const lines = parse(readFileSync(await saved.path(), 'utf8'), { columns: true }) as Record<
      string,
      string
    >[];
    // The image that was selected last, in the order that was requested last.
    expect(lines.map(({ area }) => Number(area))).toEqual([...few.cells.areas].sort((a, b) => a - b));
    expect(new Set(lines.map((line) => line.image))).toEqual(new Set([hostile]));
    expect(Object.keys(lines[0]!)).toEqual(['image', 'cell_type', 'cell', 'score', 'area', 'x', 'y']);
  });

  test('shows the cell of a row that is chosen with the keyboard', async () => {
    await rows().first().press('Enter');
    const { zoom } = await zoomOf(hostile);
    expect(zoom).toBeGreaterThan(1);
    await expect(image(hostile).getByRole('status').textContent()).resolves.toMatch(/^Cell \d+: /);
    await expect(page.locator('.stage:focus').count()).resolves.toBe(1);
  });

  test('has accessible names for all controls', async () => {
    const nameless = await page
      .locator('button, select, input, meter, [role=img], .stage, img')
      .evaluateAll((elements: NamedElement[]) =>
        elements
          .filter(
            (element) =>
              !(
                element.getAttribute('aria-label') ||
                element.getAttribute('alt') ||
                element.closest('label')?.textContent?.trim() ||
                element.textContent?.trim()
              ),
          )
          .map((element) => element.outerHTML),
      );
    expect(nameless).toEqual([]);
  });

  test('prints without controls, with every image complete', async () => {
    await page.emulateMedia({ media: 'print' });
    await page.evaluate("window.dispatchEvent(new Event('beforeprint'))");
    await expect(image(hostile).locator('.tools').isVisible()).resolves.toBe(false);
    expect(await drawn('b.png')).toBeGreaterThan(10_000);
    expect((await page.pdf()).length).toBeGreaterThan(10_000);
    await page.emulateMedia({ media: 'screen' });
  });

  test('made no requests and logged no errors', () => {
    expect(asked.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
    expect(complaints).toEqual([]);
  });
});

interface CanvasPixels {
  getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray };
}

interface NamedElement {
  getAttribute(name: string): string | null;
  closest(selector: string): NamedElement | null;
  textContent: string | null;
  outerHTML: string;
}
