// Runs node-gyp or prebuildify where Node's headers may be absent: our target compiles nothing through gyp, so a
// folder with an empty common.gypi is all that node-gyp asks for.
//   node scripts/gyp.mjs rebuild        node scripts/gyp.mjs prebuild
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
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
  const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  rmSync(folder, { recursive: true, force: true });
  must('prebuildify', ['--napi'], { env });
  const addon = join('Release', 'cellroute.node');
  const preload = join('preload', 'cellroute_preload.node');
  // prebuildify moves its one .node away, which the checkout goes on using.
  copyFileSync(join(folder, 'cellroute.node'), join(root, 'build', addon));
  // The stub that opens LibTorch goes beside it.
  copyFileSync(join(root, 'build', preload), join(folder, 'cellroute_preload.node'));
} else {
  must('node-gyp', ['rebuild'], { env });
}
