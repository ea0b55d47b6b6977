import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './native/find.js';

let version: string | undefined;

/** Version of this package. */
export function packageVersion(): string {
  version ??= (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string })
    .version;
  return version;
}
