// Runs the C++ tests with ctest, in parallel, and counts the cases in doctest's report of each source file.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseXml } from '@rgrove/parse-xml';
import { add, noCounts } from './report.mjs';
import { run } from './run.mjs';

/** All <testcase> elements of a JUnit report. */
function testCases(report) {
  const within = (element) =>
    element.name === 'testcase'
      ? [element]
      : element.children.filter(({ type }) => type === 'element').flatMap(within);
  return within(parseXml(readFileSync(report, 'utf8')).root);
}

/** Passed and failed cases of one source file, from doctest's report; undefined if it did not finish. */
function countCases(report) {
  // A test that crashed may have left an empty file.
  if (!existsSync(report) || statSync(report).size === 0) return undefined;
  const cases = testCases(report);
  const failed = cases.filter(({ children }) =>
    children.some(({ name }) => name === 'failure' || name === 'error'),
  ).length;
  return { passed: cases.length - failed, failed };
}

/** Cases of a source file that doctest skips on this machine, for example without a GPU. Its report does not list them. */
function skippedCases(folder, name) {
  const { stdout } = run('ctest', ['--test-dir', folder, '--show-only=json-v1', '-R', `^${name}$`], {
    capture: true,
  });
  const { command } = JSON.parse(stdout).tests[0];
  // Before the filter: the program, and in cross builds the emulator that runs it.
  const [program, ...args] = command.slice(
    0,
    command.findIndex((arg) => arg.startsWith('--source-file=')) + 1,
  );
  const unskipped = (...flags) => {
    const listed = run(program, [...args, '--list-test-cases', '--reporters=xml', ...flags], {
      capture: true,
    });
    return Number(/unskipped="(\d+)"/.exec(listed.stdout)?.[1] ?? 0);
  };
  return unskipped('--no-skip') - unskipped();
}

/**
 * Runs every C++ test that ctest lists, or those of the programs that match a regular expression. Returns the cases of all,
 * and the seconds of each source file.
 */
export function runCtest(folder, env = {}, { program } = {}) {
  const report = join(folder, 'ctest.xml');
  const cases = join(folder, 'doctest');
  // A report of an earlier run must not be counted.
  rmSync(report, { force: true });
  rmSync(cases, { recursive: true, force: true });
  mkdirSync(cases, { recursive: true });
  const { status } = run(
    'ctest',
    [
      ...['--test-dir', folder, '--build-config', 'Release', '--parallel', String(availableParallelism())],
      ...['--output-on-failure', '--progress', '--no-tests=error', '--output-junit', report],
      ...(program ? ['--label-regex', `^(${program})$`] : []),
    ],
    // Waiting threads leave their core to other tests.
    { env: { OMP_WAIT_POLICY: 'PASSIVE', ...env } },
  );
  const counts = noCounts();
  const seconds = [];
  for (const { attributes } of existsSync(report) ? testCases(report) : []) {
    const { name, status, time } = attributes;
    seconds.push({ name: `C++ ${name}`, seconds: Number(time) });
    const found = countCases(join(cases, `${name}.xml`)) ?? { passed: 0, failed: 0 };
    if (status === 'run' && found.passed === 0) found.skipped = skippedCases(folder, name);
    // A crash, a file without cases, and a failure after the last case count as a failure.
    if ((status !== 'run' || (found.passed === 0 && !found.skipped)) && found.failed === 0) found.failed = 1;
    add(counts, found);
  }
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  console.log(`C++: ${counts.passed} cases passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return { counts, seconds };
}
