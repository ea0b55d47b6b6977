// `npm run demo`: installs what is missing, builds, and segments example images to overlays.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { must, root } from './run.mjs';

const images = join(root, 'examples', 'images');
const out = join(root, 'demo-output');

must('node', ['scripts/build.mjs', '--if-missing']);
console.log('\nClassifying each image and segmenting its cells (cellroute segment)');
must('node', [join(root, 'dist', 'cli', 'main.js'), 'segment', images, '--out', out]);
if (!existsSync(out)) throw new Error(`${out} was not written`);
console.log(
  `\nOpen ${join('demo-output', '*.overlay.png')}; the masks are beside them as JSON, CSV and label images.`,
);
