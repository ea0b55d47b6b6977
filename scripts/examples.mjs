// Runs every program and command of README, docs and examples as a user does, with the oldest supported Node.js.
//   node scripts/examples.mjs
import { runJest } from './jest.mjs';
import { finish } from './report.mjs';
import { must } from './run.mjs';

must('node', ['scripts/build.mjs', '--if-missing']);
must('node', ['scripts/build.mjs', '--sdk']);
finish(runJest(['test/examples']).counts);
