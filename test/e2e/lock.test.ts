import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOCK_FILE } from '../../lib/folder-lock.js';
import { root } from '../support/sdk.js';

const program = join(__dirname, 'programs/lock.cjs');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-lock-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a process that locks a folder. Returns the process and its first line. */
function lockIn(path: string, ...args: string[]) {
  const child = spawn(process.execPath, [program, join(root, 'dist'), path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  let text = '';
  const answer = new Promise<string>((done) => {
    child.stdout.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.includes('\n')) done(text.trim());
    });
    child.on('close', () => done(text.trim()));
  });
  const ended = new Promise<void>((done) => child.on('close', () => done()));
  return { child, answer, ended };
}

test('of many processes that start together, one gets the folder and the others report its owner', async () => {
  const path = join(folder, 'race');
  const contenders = Array.from({ length: 6 }, () => lockIn(path));
  const answers = await Promise.all(contenders.map(({ answer }) => answer));
  const winner = contenders[answers.indexOf('locked')]!;
  const refusals = answers.filter((answer) => answer !== 'locked').map((answer) => JSON.parse(answer));
  expect(refusals).toHaveLength(5);
  for (const { code, message, owner } of refusals) {
    expect(code).toBe('RUN_LOCKED');
    expect(message).toContain(`process ${winner.child.pid} on ${hostname()} (node lock.cjs`);
    expect(owner).toMatchObject({ pid: winner.child.pid, host: hostname() });
  }
  winner.child.stdin.end();
  await winner.ended;
  expect(existsSync(join(path, LOCK_FILE))).toBe(false);
});

test('a folder whose owner was killed is free immediately', async () => {
  const path = join(folder, 'killed');
  for (let round = 0; round < 5; round++) {
    const owner = lockIn(path);
    expect(await owner.answer).toBe('locked');
    expect(JSON.parse(readFileSync(join(path, LOCK_FILE), 'utf8'))).toMatchObject({ pid: owner.child.pid });
    owner.child.kill('SIGKILL');
    await owner.ended;
    expect(existsSync(join(path, LOCK_FILE))).toBe(true);
  }
  const last = lockIn(path);
  expect(await last.answer).toBe('locked');
  last.child.stdin.end();
  await last.ended;
});

test('of many processes that take over from a killed one, one gets the folder', async () => {
  const path = join(folder, 'heirs');
  const owner = lockIn(path);
  expect(await owner.answer).toBe('locked');
  owner.child.kill('SIGKILL');
  await owner.ended;
  const answers = await Promise.all(Array.from({ length: 6 }, () => lockIn(path).answer));
  expect(answers.filter((answer) => answer === 'locked')).toHaveLength(1);
});

test('a folder without write permission is refused with FILE_UNWRITABLE', async () => {
  const path = join(folder, 'read-only');
  mkdirSync(path);
  chmodSync(path, 0o555);
  const nobody = process.getuid?.() === 0 ? ['65534'] : [];
  chmodSync(folder, 0o755);
  const answer = JSON.parse(await lockIn(path, ...nobody).answer);
  expect(answer.code).toBe('FILE_UNWRITABLE');
  expect(answer.message).toContain(join(path, LOCK_FILE));
  expect(existsSync(join(path, LOCK_FILE))).toBe(false);
});
