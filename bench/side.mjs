import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const python = process.env.PYTHON ?? 'python3';
export const peer = (name) => join(import.meta.dirname, 'peers', name);
export const ours = (name) => join(import.meta.dirname, name);

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Runs one side in a process of its own; its last line is its measurement. */
export function measure(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

/** A side that stays: says once that it is ready, and answers each line of JSON with a line of JSON. */
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
    // A missing answer reports that a side has ended.
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

/** Ours on one image: a task of ours_segment.mjs. */
export const oursSegment = (task) =>
  new Side(process.execPath, [ours('ours_segment.mjs'), JSON.stringify(task)]);

/** torchvision's on one image. */
export const torchvisionSegment = (image, args) =>
  new Side(python, [peer('torchvision_segment.py'), '--image', image, ...args]);

/**
 * Lets sides take turns, each in a process of its own that stays: `makers` has a function a side, `request` what each
 * round asks of the side so named. Gives each side's first word and its answers, a round each. A side that fails is
 * left out of what follows, with `failure` for its answers.
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
