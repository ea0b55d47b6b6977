// The README's first command: gets what is needed, builds, and segments real pictures into overlays to look at.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { must, root } from './run.mjs';

const pictures = join(root, 'examples', 'pictures');
const out = join(root, 'demo-output');

must('node', ['scripts/build.mjs', '--if-missing']);
const cellroute = join(root, 'dist', 'cli', 'main.js');
console.log('\nWhich cells are they? (cellroute classify)');
must('node', [cellroute, 'classify', pictures]);

// The starter knows how to outline one type so far; its router tells the others apart and says so.
const fluorescence = readdirSync(pictures)
  .filter((name) => name.startsWith('fluorescence'))
  .map((name) => join(pictures, name));
console.log('\nOutlining the fluorescence pictures (cellroute segment)');
must('node', [cellroute, 'segment', ...fluorescence, '--out', out]);
if (!existsSync(out)) throw new Error(`${out} was not written`);
console.log(
  `\nLook at ${join('demo-output', '*.overlay.png')}; the masks are beside them, as JSON, CSV and label pictures.`,
);
