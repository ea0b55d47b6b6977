// Runs every program and command of README, docs and examples as a user does, with the oldest supported Node.js.
//   node scripts/examples.mjs
import { runJest } from './jest.mjs';
import { finish } from './report.mjs';
import { ensureBuilt } from './run.mjs';

ensureBuilt();
finish(runJest(['test/examples']).counts);
