// Before npm packs: what is packed must be there and come from this checkout.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { must, root } from './run.mjs';

must('node', ['scripts/build.mjs', '--sdk']);
const prebuilt = join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'cellroute_preload.node');
if (!existsSync(prebuilt)) must('node', ['scripts/gyp.mjs', 'prebuild']);
