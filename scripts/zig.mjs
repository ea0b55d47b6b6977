// zig (ziglang on PyPI), whose C and C++ compiler has the headers of other systems.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder } from './libtorch.mjs';
import { must } from './run.mjs';
import { virtualEnvironment } from './venv.mjs';

const VERSION = '0.15.2';

/**
 * Folder of scripts `cc`, `c++`, `ar` and `ranlib` that start zig for a target such as `aarch64-macos.14.0`, because CMake calls
 * a compiler by one path. undefined where zig cannot be installed.
 */
export function zigTools(target) {
  const python = virtualEnvironment('zig', [[`ziglang==${VERSION}`]], 'zig');
  if (!python) return undefined;
  const find = 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))';
  const zig = must(python, ['-c', find], { capture: true }).trim();
  const folder = resolve(python, '..', '..', 'tools', target);
  mkdirSync(folder, { recursive: true });
  const cache = join(cacheFolder(), 'zig-cache');
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  for (const [tool, options] of [
    ['cc', `-target ${target}`],
    ['c++', `-target ${target}`],
    ['ar', ''],
    ['ranlib', ''],
  ]) {
    const path = join(folder, tool);
    const script = [
      '#!/bin/sh',
      `export ZIG_GLOBAL_CACHE_DIR=${quoted(cache)} ZIG_LOCAL_CACHE_DIR=${quoted(cache)}`,
      `exec ${quoted(zig)} ${tool} ${options} "$@"`,
      '',
    ].join('\n');
    // An unchanged script keeps its time, from which a compiler cache recognises the compiler.
    if (existsSync(path) && readFileSync(path, 'utf8') === script) continue;
    writeFileSync(path, script);
    chmodSync(path, 0o755);
  }
  return folder;
}
