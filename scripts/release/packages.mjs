// The npm packages, each staged in a separate folder and packed from there. `node scripts/release/packages.mjs [OUT]`
// packs them and prints the tarballs. package.json of the checkout names none of
// them: they are not published, and a name that is not ours must not be installed.
//   cellroute                           JavaScript and types
//   @cellroute/starter                  the starter ensemble, most of the bytes
//   @cellroute/<platform>               the addon and the stub that opens LibTorch
//   @cellroute/libtorch-<platform>      LibTorch's run-time libraries, versioned as LibTorch is
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findLibtorch, neededCuda, neededLibraries, pinned } from '../libtorch.mjs';
import { HOST, PLATFORMS } from '../platforms.mjs';
import { copyPrebuild, prebuildFolder } from '../prebuild.mjs';
import { absoluteLinks } from '../published-pages.mjs';
import { has, must, packageJson, root, run } from '../run.mjs';

const { version, license, engines, repository, bugs, homepage, keywords } = packageJson;
const shared = { license, repository, bugs, homepage, engines };

/** Package managers install a package with these fields only where they fit. */
export const constraints = (platform) => {
  const [os, cpu] = platform.split('-');
  return { os: [os], cpu: [cpu], ...(os === 'linux' && { libc: ['glibc'] }) };
};

/** The packages of all platforms, of which a package manager installs those that fit. */
export const optionalDependencies = Object.fromEntries(
  Object.keys(PLATFORMS).flatMap((platform) => [
    [`@cellroute/${platform}`, version],
    [`@cellroute/libtorch-${platform}`, pinned(platform)],
  ]),
);

function emptyFolder(path) {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

function writeManifest(folder, manifest, readme) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  if (readme) writeFileSync(join(folder, 'README.md'), `# ${manifest.name}\n\n${readme}\n`);
}

/** A page of the checkout with absolute links. */
function copyPage(page, folder) {
  const markdown = readFileSync(join(root, page), 'utf8');
  writeFileSync(join(folder, 'README.md'), absoluteLinks(page, markdown, packageJson));
}

function stageCore(out) {
  const folder = emptyFolder(join(out, 'cellroute'));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const file of ['LICENSE', 'CHANGELOG.md', 'SECURITY.md'])
    copyFileSync(join(root, file), join(folder, file));
  copyPage('README.md', folder);
  const { private: _, scripts, devDependencies, gypfile, files, dependencies, ...kept } = packageJson;
  writeManifest(folder, {
    ...kept,
    files: ['dist', 'CHANGELOG.md', 'SECURITY.md'],
    dependencies: { '@cellroute/starter': version, ...dependencies },
    optionalDependencies,
  });
  return folder;
}

function stageStarter(out) {
  const folder = emptyFolder(join(out, 'starter'));
  const source = join(root, 'models', 'starter');
  // Its folder of training configurations stays in the repository.
  for (const file of readdirSync(source, { withFileTypes: true })) {
    if (file.isFile()) copyFileSync(join(source, file.name), join(folder, file.name));
  }
  copyPage('models/starter/README.md', folder);
  writeManifest(folder, {
    name: '@cellroute/starter',
    version,
    description:
      'The starter ensemble of cellroute: nuclei in fluorescence and stained tissue, cells in phase contrast',
    keywords,
    ...shared,
    license: 'CC0-1.0',
    // Native code maps the files.
    preferUnplugged: true,
    files: readdirSync(folder),
  });
  return folder;
}

function stageAddon(out) {
  const folder = emptyFolder(join(out, HOST));
  for (const file of ['cellroute.node', 'cellroute_preload.node'])
    copyFileSync(join(prebuildFolder(), file), join(folder, file));
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const description = `The native addon of cellroute for ${HOST}`;
  writeManifest(
    folder,
    {
      name: `@cellroute/${HOST}`,
      version,
      description,
      ...shared,
      ...constraints(HOST),
      // Yarn's Plug'n'Play keeps other packages in archives, which the system's loader cannot read.
      preferUnplugged: true,
      files: ['*.node'],
    },
    `${description}. Installed by \`cellroute\`; not meant to be used alone.`,
  );
  return folder;
}

/** The libraries that are loaded at run time: those that are opened by name, and what these need of LibTorch's folder. */
function librariesIn(folder) {
  const { runtimeLibraries } = createRequire(import.meta.url)(join(root, 'dist', 'native', 'libraries.js'));
  const found = new Set();
  const visit = (name) => {
    const path = join(folder, name);
    if (found.has(name) || !existsSync(path)) return;
    found.add(name);
    // On linux-arm64: OpenBLAS, the Arm Compute Library and Fortran's library.
    neededLibraries(path).forEach(visit);
  };
  runtimeLibraries().forEach(visit);
  return [...found];
}

function stageLibtorch(out) {
  const libtorch = findLibtorch();
  const cuda = neededCuda(libtorch.folder);
  if (cuda) {
    throw new Error(
      `The LibTorch in ${libtorch.folder} is a CUDA build, which needs ${cuda}: packages need a CPU build`,
    );
  }
  const folder = emptyFolder(join(out, `libtorch-${HOST}`));
  mkdirSync(join(folder, 'lib'));
  for (const library of librariesIn(join(libtorch.folder, 'lib'))) {
    const source = join(libtorch.folder, 'lib', library);
    const target = join(folder, 'lib', library);
    // npm pack ignores symbolic links, so their targets are copied.
    copyFileSync(realpathSync(source), target);
    if (process.platform === 'linux' && has('strip')) must('strip', ['--strip-unneeded', target]);
  }
  // The wheel's own licences travel with its files.
  const info = readdirSync(dirname(libtorch.folder)).find((entry) => /^torch-.*\.dist-info$/.test(entry));
  const licences = join(dirname(libtorch.folder), info ?? '', 'licenses');
  if (info && existsSync(licences)) cpSync(licences, join(folder, 'licenses'), { recursive: true });
  const description = `LibTorch's CPU run-time libraries for ${HOST}, as cellroute loads them`;
  writeManifest(
    folder,
    {
      name: `@cellroute/libtorch-${HOST}`,
      version: libtorch.version,
      description,
      ...shared,
      license: 'BSD-3-Clause',
      ...constraints(HOST),
      preferUnplugged: true,
      files: ['lib', 'licenses'],
    },
    `${description}. Installed by \`cellroute\`; not meant to be used alone.`,
  );
  return folder;
}

/** Stages and packs what this machine can build: every package once, in the order of publishing. The addon is that in prebuilds/. */
export function packAll(out) {
  mkdirSync(out, { recursive: true });
  const staged = join(out, 'staged');
  return [stageLibtorch, stageAddon, stageStarter, stageCore].map((stage) => {
    const folder = stage(staged);
    const printed = must('npm', ['pack', folder, '--json', '--pack-destination', out], { stdout: 'pipe' });
    const [{ name, version, filename, size, unpackedSize, files }] = JSON.parse(printed);
    return {
      name,
      version,
      tarball: join(out, filename),
      size,
      unpackedSize,
      files: files.map(({ path }) => path),
    };
  });
}

/** Checks of the core package's manifest and of its types in every module system, for `runChecks`. */
export const packageChecks = (tarball) => [
  ['publint', () => run('publint', ['run', tarball, '--strict'], { capture: true })],
  [
    'are the types wrong?',
    () => run('attw', [tarball, '--profile', 'node16', '--format', 'ascii'], { capture: true }),
  ],
];

// As a program: packs into a folder and prints what was packed as JSON.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  copyPrebuild();
  console.log(JSON.stringify(packAll(resolve(process.argv[2] ?? join(root, 'out', 'packages')))));
}
