import type { Browser, Page } from 'playwright-core';
import { RoutedEnsemble } from '../../lib/inference/ensemble.js';
import type { RunningServer } from '../../lib/serve/server.js';
import { describeBrowser, launch } from '../support/browser.js';
import { imageBytes, testEnsemble } from '../support/sdk.js';
import { ready } from '../support/serve.js';

describeBrowser('the page of the service in Chromium', () => {
  const token = 'a-token-of-24-characters';
  const hostile = `<img src=x onerror="window.hacked=1">.png`;
  let ensemble: RoutedEnsemble;
  let server: RunningServer;
  let browser: Browser;
  let page: Page;
  const asked: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    ensemble = await RoutedEnsemble.load(testEnsemble);
    server = await ready({ ensemble, token });
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 1100, height: 1000 } });
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => {
      // The browser reports the answer 401 that asks for the token.
      if (message.type() === 'error' && !/401/.test(message.text())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(server.url);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    await ensemble.dispose();
  });

  const said = () => page.locator('#said');
  const report = () => page.frameLocator('#report');
  const file = (name: string, buffer: Buffer) => ({ name, mimeType: 'image/png', buffer });
  const settled = (text: RegExp) => said().filter({ hasText: text }).waitFor();

  test('asks for the token, and shows the model with it', async () => {
    await page.getByLabel('Token of this service').fill('wrong-token-wrong-token');
    await page.getByRole('button', { name: 'Use' }).click();
    await page.locator('#model').filter({ hasText: 'UNAUTHORIZED' }).waitFor();
    await page.getByLabel('Token of this service').fill(token);
    await page.getByRole('button', { name: 'Use' }).click();
    await page.locator('#model').filter({ hasText: 'Model ensemble' }).waitFor();
    expect(await page.locator('#access').isVisible()).toBe(false);
    await page.getByLabel('Cell type').selectOption('fluorescence');
  });

  test('shows outlines and the table of an image, whose name is text', async () => {
    await page.getByLabel('Choose an image').setInputFiles(file(hostile, imageBytes('small')));
    await settled(/is segmented/);
    const own = await ensemble.segment(imageBytes('small'), { cellType: 'fluorescence' });
    const rows = report().locator('#cells tbody tr');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(Math.min(50, own.cells.length));
    expect(await report().getByRole('article').getByRole('heading').textContent()).toBe(hostile);
    await rows.first().click();
    expect(await report().locator('.said').textContent()).toMatch(/^Cell \d+: score/);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
  });

  test('takes an image that is dropped', async () => {
    const bytes = imageBytes('medium').toString('base64');
    const transfer = await page.evaluateHandle(
      `(() => {
        const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob('${bytes}'), (c) => c.charCodeAt(0));
        transfer.items.add(new File([bytes], 'dropped.png', { type: 'image/png' }));
        return transfer;
      })()`,
    );
    await page.locator('#drop').dispatchEvent('drop', { dataTransfer: transfer });
    await settled(/^dropped\.png is segmented/);
    await report().getByRole('heading', { name: 'dropped.png', exact: true }).waitFor();
  });

  test('gives the result in other formats', async () => {
    const waiting = page.waitForEvent('download');
    await page.getByRole('button', { name: 'json', exact: true }).click();
    const download = await waiting;
    expect(download.suggestedFilename()).toBe('dropped.json');
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({
      name: 'dropped.png',
      format: 'cellroute-result',
    });
  });

  test('says why an image is refused', async () => {
    await page.getByLabel('Choose an image').setInputFiles(file('text.png', Buffer.from('no image')));
    await settled(/^text\.png: .*\[IMAGE_UNREADABLE\]$/);
    expect(await page.locator('#work').isVisible()).toBe(false);
    expect(await page.locator('#result').isVisible()).toBe(false);
  });

  test('all controls have accessible names', async () => {
    for (const control of await page.locator('button, select, input, progress, iframe').all()) {
      if (!(await control.isVisible())) continue;
      const name = await control.evaluate(
        (element: Named) =>
          element.getAttribute('aria-label') ??
          element.getAttribute('title') ??
          element.labels?.[0]?.textContent ??
          element.textContent,
      );
      expect(name?.trim()).toMatch(/./);
    }
  });

  test('makes requests only to its service and logs no errors', () => {
    const foreign = asked.filter((url) => !url.startsWith(server.url) && !/^(data|blob|about):/.test(url));
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

interface Named {
  getAttribute(name: string): string | null;
  labels?: { textContent: string | null }[] | null;
  textContent: string | null;
}
