import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The oldest version that package.json accepts. */
export const OLDEST_NODE = '20.9.0';

/**
 * Path of the oldest supported Node.js. It comes from the npm package of Node's binaries and is kept in the user cache.
 * undefined if it cannot be downloaded, for example without a network.
 */
export function oldestNode(): string | undefined {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const cache = resolve(
    process.env.CELLROUTE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cellroute'),
  );
  const folder = join(cache, `node-${OLDEST_NODE}`);
  const program = join(folder, 'node_modules', name, 'bin', 'node');
  try {
    if (!existsSync(program)) {
      mkdirSync(folder, { recursive: true });
      execFileSync(
        'npm',
        [
          'install',
          '--prefix',
          folder,
          '--no-save',
          '--no-audit',
          '--no-fund',
          '--ignore-scripts',
          `${name}@${OLDEST_NODE}`,
        ],
        { stdio: 'pipe', timeout: 120_000 },
      );
    }
    const version = execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
    return version === `v${OLDEST_NODE}` ? program : undefined;
  } catch {
    return undefined;
  }
}
