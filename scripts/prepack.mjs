// Before npm packs: builds what changed, so that what is packed comes from this checkout. Prints nothing to stdout, which
// is npm's (`npm pack --json`).
import { copyPrebuild } from './prebuild.mjs';
import { must } from './run.mjs';

must('node', ['scripts/build.mjs'], { stdout: 2 });
copyPrebuild();
