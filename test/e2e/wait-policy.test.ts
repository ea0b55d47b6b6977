import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from '../support/sdk.js';

// libgomp reads and prints its settings when the preload stub opens it.
const build = resolve(process.env.CELLROUTE_BUILD ?? join(root, 'build'));
const program = `
  const [preload, libgomp] = process.argv.slice(1);
  require(preload).open(libgomp);
  const { execFileSync } = require('node:child_process');
  const child = execFileSync(process.execPath, ['-p', 'process.env.GOMP_SPINCOUNT']);
  process.stdout.write(child);
`;

function open(environment: Record<string, string>) {
  const { folder } = JSON.parse(readFileSync(join(build, 'libtorch.json'), 'utf8')) as { folder: string };
  const { OMP_WAIT_POLICY: _policy, GOMP_SPINCOUNT: _spin, ...inherited } = process.env;
  const { stderr, stdout } = spawnSync(
    process.execPath,
    ['-e', program, join(build, 'preload/cellroute_preload.node'), join(folder, 'lib/libgomp.so.1')],
    { encoding: 'utf8', env: { ...inherited, OMP_DISPLAY_ENV: 'VERBOSE', ...environment } },
  );
  return { spinCount: /GOMP_SPINCOUNT = '(\d+)'/.exec(stderr)?.[1], childs: stdout.trim() };
}

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux(
  'OpenMP threads spin briefly unless the process sets a policy, and child processes inherit no setting',
  () => {
    expect(open({})).toEqual({ spinCount: '1000', childs: 'undefined' });
  },
);

onLinux.each([
  ['GOMP_SPINCOUNT', '77', '77'],
  ['OMP_WAIT_POLICY', 'PASSIVE', '0'],
])('a process that sets %s=%s keeps its setting', (name, value, spinCount) => {
  expect(open({ [name]: value }).spinCount).toBe(spinCount);
});
