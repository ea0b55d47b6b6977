// Runs a program for a limited time in a separate process, whose crashes and hangs are findings.
import { spawn } from 'node:child_process';

/** Number of characters that are kept from the end of each stream. */
const KEPT = 1 << 20;

/**
 * Runs a program and kills it after a number of seconds. Resolves to the ends of its output and to `ended`: its exit
 * status, or the name of the signal that ended it.
 */
export function runChild(program, args, { seconds, env = process.env }) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const printed = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8');
    child[stream].on('data', (text) => {
      printed[stream] = (printed[stream] + text).slice(-KEPT);
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  return new Promise((done) => {
    child.on('error', (error) => done({ ...printed, ended: error.message }));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      done({ ...printed, ended: signal ?? code });
    });
  });
}

/** The report that a program prints as its last line, as JSON; undefined where it printed none. */
export function lastLine(stdout) {
  const line = stdout.trim().split('\n').at(-1);
  return line ? JSON.parse(line) : undefined;
}
