// Runs node-gyp or prebuildify on machines without Node's headers. Our gyp target compiles nothing, so a folder with an
// empty common.gypi is enough for node-gyp.
//   node scripts/gyp.mjs rebuild        node scripts/gyp.mjs prebuild
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { copyPrebuild, prebuildFolder } from './prebuild.mjs';
import { must, root } from './run.mjs';

function nodedir() {
  const folder = join(root, 'out', 'nodedir');
  const include = join(folder, 'include', 'node');
  mkdirSync(include, { recursive: true });
  cpSync(createRequire(import.meta.url)('node-api-headers').include_dir, include, { recursive: true });
  writeFileSync(join(include, 'common.gypi'), '{}\n');
  writeFileSync(join(include, 'config.gypi'), '{"target_defaults": {}, "variables": {}}\n');
  return folder;
}

const env = { npm_config_nodedir: nodedir() };
if (process.argv[2] === 'prebuild') {
  rmSync(prebuildFolder(), { recursive: true, force: true });
  must('prebuildify', ['--napi'], { env });
  // prebuildify moves the .node file, which the checkout still needs.
  copyFileSync(join(prebuildFolder(), 'cellroute.node'), join(root, 'build', 'Release', 'cellroute.node'));
  copyPrebuild();
} else {
  must('node-gyp', ['rebuild'], { env });
}
