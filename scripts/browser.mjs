// Runs the tests of pages (reports, review, service) in Chromium.
//   node scripts/browser.mjs
import { runJest } from './jest.mjs';
import { finish } from './report.mjs';
import { must } from './run.mjs';
import { ensureBrowser } from './system.mjs';

must('node', ['scripts/build.mjs', '--if-missing']);
must('node', ['scripts/build.mjs', '--sdk']);
ensureBrowser();
finish(runJest(['test/browser']).counts);
