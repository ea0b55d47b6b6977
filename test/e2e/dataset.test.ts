import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { csv, workFolder } from '../support/data-folder.js';
import { root } from '../support/sdk.js';

const folder = workFolder();

beforeAll(async () => {
  for (const name of ['a', 'b']) await folder.image(`set/train/${name}.png`, 6, 4);
  const rows = [
    'id,annotation,phase',
    'a,1 3,x',
    'a,7 1,x',
    'a,9 2,x',
    'b,1 2,y',
    'b,1 2 1 2,y',
    'c\u001b[31m,1 1,y',
  ];
  folder.write('set/train.csv', csv(...rows));
});

const summary = (...args: string[]) => {
  const command = [join(root, 'dist/cli/main.js'), 'dataset', 'summary', ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  return { status, stdout, stderr };
};

test('prints tables and unusable entries, and warns about a limit that is too low', () => {
  const { status, stdout, stderr } = summary(
    ...[folder.path('set'), '--cell-type-column', 'phase', '--detections-per-image', '2'],
  );
  expect(status).toBe(0);
  expect(stdout).toContain('densest image         a, 3 cells');
  expect(stdout).toMatch(
    /type +images +cells +min +median +mean +max\n +x +1 +3 .*\n +y +1 +1 .*\n +all +2 +4 /,
  );
  expect(stdout).toMatch(/width +height +images\n +6 +4 +2\n/);
  expect(stdout).toContain('Warning: detectionsPerImage is 2, but 1 of 2 images have more cells');
  expect(stderr).toContain('2 rows or images cannot be used and are skipped:');
  expect(stderr).toMatch(/train\.csv, row 6, annotation, image b: Runs overlap/);
  // Control characters of a file must not reach the terminal.
  expect(stdout + stderr).not.toContain('\u001b');
});

test('prints the same data as JSON', () => {
  const { status, stdout } = summary(folder.path('set'), '--json');
  expect(status).toBe(0);
  const { images, cells, densest, problems } = JSON.parse(stdout) as Record<string, unknown>;
  expect({ images, cells, densest }).toEqual({ images: 2, cells: 4, densest: { id: 'a', cells: 3 } });
  expect(problems).toEqual([
    expect.objectContaining({ row: 6, column: 'annotation', id: 'b' }),
    expect.objectContaining({ row: 7, column: 'id' }),
  ]);
});

test('refuses an invalid data set in one line', () => {
  const { status, stderr } = summary(folder.path('set/train'));
  expect(status).toBe(1);
  expect(stderr).toMatch(/^cellroute: .*it is not a data set: .*\[DATA_INVALID\]\n$/);
});
