import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/sdk.js';

test('a short soak: calls, aborts, reloads and terminated workers', () => {
  const soak = join(root, 'scripts/soak.mjs');
  const { stdout, status, stderr } = spawnSync(process.execPath, [soak, '0.1', 'calls', 'workers'], {
    encoding: 'utf8',
    // The counts of the soak must not be added to those of the tests.
    env: { ...process.env, CELLROUTE_COUNTS: '' },
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^calls {4}ok {6}calls \d+, aborted \d+, refused \d+, reloads \d+, RSS MB \d+/);
  expect(stdout).toMatch(/^workers {2}ok {6}terminated \d+, calls \d+$/m);
  expect(stdout).toMatch(/^2 passed, 0 failed$/m);
});
