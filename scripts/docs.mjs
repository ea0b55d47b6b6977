// Writes the API reference to docs/api from docstrings. Fails if a public name has no docstring, if a public signature
// uses a type that is not exported, or if a link in a docstring is broken.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { must, root } from './run.mjs';

const folder = join(root, 'scripts', 'typedoc');
if (!existsSync(join(folder, 'node_modules', 'typedoc'))) {
  must('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts']);
}
must('node', [
  join(folder, 'node_modules', 'typedoc', 'bin', 'typedoc'),
  '--options',
  join(folder, 'typedoc.json'),
]);
