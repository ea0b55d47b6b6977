// Publishes the tarballs of a release, dependencies first. Versions that are already published are skipped, so that an
// interrupted run can be repeated. Run by .github/workflows/release.yml.
//   node scripts/release/publish.mjs FOLDER [--dry-run]
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PLATFORMS } from '../platforms.mjs';
import { must, run } from '../run.mjs';

const [folder, dryRun] = process.argv.slice(2);
if (!folder) throw new Error('node scripts/release/publish.mjs FOLDER [--dry-run]');

// The starter and the core package are the same from every platform: one of each is published.
const tarballs = new Map(
  readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith('.tgz'))
    .map((path) => [basename(path), join(folder, path)]),
);
const rank = (name) =>
  [
    'cellroute-libtorch-',
    ...Object.keys(PLATFORMS).map((platform) => `cellroute-${platform}-`),
    'cellroute-starter-',
  ].findIndex((start) => name.startsWith(start));
// The core package, which has none of these names, comes last.
const order = (name) => (rank(name) < 0 ? Number.POSITIVE_INFINITY : rank(name));

for (const [name, tarball] of [...tarballs].sort(([a], [b]) => order(a) - order(b))) {
  const manifest = JSON.parse(
    run('tar', ['-xzOf', tarball, 'package/package.json'], { capture: true }).stdout,
  );
  const id = `${manifest.name}@${manifest.version}`;
  if (run('npm', ['view', id, 'version'], { capture: true }).stdout.trim() !== '') {
    console.log(`${id} is published already`);
    continue;
  }
  console.log(`${dryRun ? 'would publish' : 'publishing'} ${id} (${name})`);
  must('npm', ['publish', tarball, '--access', 'public', ...(dryRun ? ['--dry-run'] : ['--provenance'])]);
}
