// Runs the tests of pages (reports, review, service) in Chromium.
//   node scripts/browser.mjs
import { runJest } from './jest.mjs';
import { finish } from './report.mjs';
import { ensureBuilt } from './run.mjs';
import { ensureBrowser } from './system.mjs';

ensureBuilt();
ensureBrowser();
finish(runJest(['test/browser']).counts);
