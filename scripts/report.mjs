// Counts of tests and checks: one closing line per command, and a record whose sum .ci/run prints.
import { appendFileSync } from 'node:fs';

export const noCounts = () => ({ passed: 0, failed: 0, skipped: 0 });

export function add(total, counts) {
  for (const key of Object.keys(total)) total[key] += counts[key] ?? 0;
}

/** "12 passed, 0 failed", followed by ", 3 skipped" if there are any. */
export const closingLine = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;

/** Ends a command: prints the closing line, sets the exit status, and appends the counts to the file CELLROUTE_COUNTS. */
export function finish(counts) {
  if (process.env.CELLROUTE_COUNTS)
    appendFileSync(process.env.CELLROUTE_COUNTS, `${JSON.stringify(counts)}\n`);
  console.log(`\n${closingLine(counts)}`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
}

/**
 * Runs named checks one after the other. Each returns {status, output, note}: the output is shown if the status is not 0, the note
 * beside the name.
 */
export async function runChecks(checks) {
  const counts = noCounts();
  for (const [name, check] of checks) {
    const started = Date.now();
    let result;
    try {
      result = await check();
    } catch (error) {
      result = { status: 1, output: String(error.message) };
    }
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const note = result.note ? `${result.note}, ` : '';
    console.log(`${result.status === 0 ? 'ok    ' : 'FAILED'} ${name} (${note}${seconds} s)`);
    if (result.status !== 0) console.log(result.output.trim());
    counts[result.status === 0 ? 'passed' : 'failed']++;
  }
  return counts;
}
