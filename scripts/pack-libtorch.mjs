// Packs LibTorch's run-time libraries as the npm package of this platform, @cellroute/libtorch-<platform>-<arch>.
//   node scripts/pack-libtorch.mjs [OUT]      prints the tarball's path
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { findLibtorch } from './libtorch.mjs';
import { has, must, packageJson, root } from './run.mjs';

const { runtimeLibraries } = createRequire(import.meta.url)(join(root, 'dist', 'native', 'libraries.js'));

const platform = `${process.platform}-${process.arch}`;
const name = `@cellroute/libtorch-${platform}`;
const out = resolve(process.argv[2] ?? join(root, 'build', 'packages'));
const folder = join(out, `libtorch-${platform}`);
const libtorch = findLibtorch();

rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, 'lib'), { recursive: true });
for (const library of runtimeLibraries()) {
  const source = join(libtorch.folder, 'lib', library);
  if (!existsSync(source)) continue;
  const target = join(folder, 'lib', library);
  // npm pack drops symbolic links without a word: what they point at is copied.
  copyFileSync(realpathSync(source), target);
  if (process.platform === 'linux' && has('strip')) must('strip', ['--strip-unneeded', target]);
}
// The wheel's own licences travel with its files.
const info = readdirSync(dirname(libtorch.folder)).find((entry) => /^torch-.*\.dist-info$/.test(entry));
const licences = join(dirname(libtorch.folder), info ?? '', 'licenses');
if (info && existsSync(licences)) cpSync(licences, join(folder, 'licenses'), { recursive: true });
const manifest = {
  name,
  version: libtorch.version,
  description: `LibTorch's CPU run-time libraries for ${platform}, as cellroute loads them`,
  license: 'BSD-3-Clause',
  os: [process.platform],
  cpu: [process.arch],
  ...(process.platform === 'linux' ? { libc: ['glibc'] } : {}),
  files: ['lib', 'licenses'],
  engines: packageJson.engines,
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
writeFileSync(
  join(folder, 'README.md'),
  `# ${name}\n\n${manifest.description}. Installed by \`cellroute\`; not meant to be used alone.\n`,
);
const [{ filename }] = JSON.parse(
  must('npm', ['pack', folder, '--json', '--pack-destination', out], { capture: true }),
);
console.log(join(out, filename));
