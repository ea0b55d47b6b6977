import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const python = process.env.PYTHON ?? 'python3';
export const peer = (name) => join(import.meta.dirname, 'peers', name);
export const ours = (name) => join(import.meta.dirname, name);

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Runs one side in its own process; its last line of output is the measurement. */
export function measure(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** A process that prints a line when ready, and answers each line of JSON with a line of JSON. */
export class Side {
  #child;
  #lines;
  #errors = '';
  #failure;

  constructor(program, args) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => {
      this.#failure = error;
    });
    this.#child.stderr.on('data', (chunk) => {
      this.#errors = (this.#errors + chunk).slice(-4000);
    });
    // If the process has ended, the missing answer reports it.
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request) {
    if (request !== undefined) this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value);
    throw (
      this.#failure ??
      new Error(`${this.#child.spawnargs.join(' ')} ended without an answer\n${this.#errors}`)
    );
  }

  async close() {
    this.#child.stdin.end();
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null && !this.#failure) await once(this.#child, 'exit');
  }
}

/** cellroute on one image: a task of ours_segment.mjs. */
export const oursSegment = (task) =>
  new Side(process.execPath, [ours('ours_segment.mjs'), JSON.stringify(task)]);

/** torchvision on one image. */
export const torchvisionSegment = (image, args) =>
  new Side(python, [peer('torchvision_segment.py'), '--image', image, ...args]);

/**
 * Measures sides alternately, each in its own process: `makers` has one function per side, `request` returns the request of
 * a side for a round. Returns each side's first line and its answers, one per round. A side that fails is not asked again
 * and has `failure` in place of answers.
 */
export async function inTurns(makers, rounds, request) {
  const sides = {};
  const run = async (name, action) => {
    const side = sides[name];
    if (side.failure) return;
    try {
      await action(side);
    } catch (error) {
      side.failure = error.message;
    }
  };
  try {
    for (const [name, make] of Object.entries(makers)) {
      sides[name] = { process: make(), answers: [] };
      await run(name, async (side) => {
        side.ready = await side.process.ask();
      });
    }
    for (let round = 0; round < rounds; round++) {
      for (const name of Object.keys(sides)) {
        await run(name, async (side) => side.answers.push(await side.process.ask(request(name, round))));
      }
    }
  } finally {
    for (const side of Object.values(sides)) await side.process.close();
  }
  return Object.fromEntries(
    Object.entries(sides).map(([name, { ready, answers, failure }]) => [name, { ready, answers, failure }]),
  );
}
