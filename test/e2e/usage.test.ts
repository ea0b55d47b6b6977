import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root } from '../support/sdk.js';

// What the command line answers before any command runs.

const main = join(root, 'dist/cli/main.js');

test.each([
  [
    'an unknown command of a group',
    ['dataset', 'my-images'],
    /\(commands: summary, preview; see cellroute dataset --help\)/,
  ],
  [
    'a misspelt command of a group',
    ['ensemble', 'ad', 'x'],
    /Did you mean add\?\)\n\(commands: create, add, .*see cellroute ensemble --help\)/,
  ],
  ['a missing option', ['segment', 'a.png'], /--out <folder>.*\n\(see cellroute segment --help\)/],
  [
    'an unknown option of a command in a group',
    ['train', 'segmenter', '--bogus'],
    /\(see cellroute train segmenter --help\)/,
  ],
  ['an unknown command', ['bogus'], /unknown command 'bogus'\n\(see cellroute --help\)/],
])('%s: the error names the help of that command', (_what, args, message) => {
  const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  expect(stderr).toMatch(message);
  expect(status).toBe(1);
});

test('a reader that closes the pipe early is no error', async () => {
  const child = spawn(process.execPath, [main, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let errors = '';
  child.stderr.on('data', (text: Buffer) => {
    errors += text.toString();
  });
  const [status] = (await once(child, 'close')) as [number | null];
  expect(errors).toBe('');
  expect(status).toBe(0);
});
