import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Chromium of the system: CELLROUTE_CHROMIUM, or the usual paths. */
const places = [
  process.env.CELLROUTE_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const executable = places.find((place) => place && existsSync(place));

/** `describe` if Chromium is installed, otherwise a skipped test with the reason. */
export function describeBrowser(title: string, body: () => void): void {
  if (executable) {
    describe(title, body);
    return;
  }
  test.skip(`${title} (no Chromium on this machine: apt-get install chromium, or set CELLROUTE_CHROMIUM)`, () => {});
}

export function launch(): Promise<Browser> {
  // Chromium's sandbox does not start for root, which containers run as
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: executable!, args });
}
