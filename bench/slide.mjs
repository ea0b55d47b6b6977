// A slide by window: megapixels per second and peak resident memory, and whether an interrupted run has the same result.
//   node bench/slide.mjs [--side 3000] [--images FOLDER] [--keep FOLDER] [--zarr SLIDE.zarr] [--json FILE]
//
// Needs a built checkout (npm run build). The slide is a mosaic of the fluorescence images of FOLDER (form of
// test/data/nuclei), written by sharp as a tiled, pyramidal BigTIFF; the network is the one of test/ensemble. Each run is a
// process of its own, so that peak memory is its own. One run is killed (SIGKILL) in the middle and resumed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { measure, ours } from './side.mjs';

const { values } = parseArgs({
  options: {
    side: { type: 'string', default: '3000' },
    images: { type: 'string', default: join(import.meta.dirname, '../test/data/nuclei') },
    keep: { type: 'string' },
    zarr: { type: 'string' },
    json: { type: 'string' },
  },
});
const side = Number(values.side);
const folder = values.keep ? resolve(values.keep) : mkdtempSync(join(tmpdir(), 'cellroute-slide-'));
mkdirSync(folder, { recursive: true });
const slide = join(folder, `mosaic-${side}.tif`);
const program = ours('ours_slide.mjs');

try {
  if (!existsSync(slide)) measure(process.execPath, [program, 'make', slide, String(side), values.images]);
  console.log(`${cpus().length} x ${cpus()[0].model}; a mosaic of ${side} x ${side} pixels, float32`);
  const runs = { whole: segment(slide) };
  report('in one run', runs.whole);
  const resume = join(folder, 'tiles');
  rmSync(resume, { recursive: true, force: true });
  const killed = await killHalfway([slide, resume], runs.whole.tiles);
  runs.resumed = segment(slide, resume);
  report(`killed after ${killed} of ${runs.whole.tiles} tiles and resumed`, runs.resumed);
  console.log(`the same result: ${runs.resumed.hash === runs.whole.hash}`);
  if (values.zarr) {
    runs.zarr = segment(values.zarr);
    report('the same as OME-Zarr', runs.zarr);
    console.log(`the same result: ${runs.zarr.hash === runs.whole.hash}`);
  }
  if (values.json) writeFileSync(values.json, JSON.stringify(runs, null, 2));
  if (Object.values(runs).some(({ hash }) => hash !== runs.whole.hash)) process.exitCode = 1;
} finally {
  if (!values.keep) rmSync(folder, { recursive: true, force: true });
}

function segment(...args) {
  return measure(process.execPath, [program, 'segment', ...args]);
}

function report(name, { megapixels, seconds, peak_mb: peak, loaded_mb: loaded, cells, tiles, resumed }) {
  const rate = (megapixels / seconds).toFixed(2);
  const own = resumed > 0 ? `, ${resumed} tiles read from the first run` : '';
  console.log(
    `${name}: ${cells} cells in ${tiles} tiles, ${seconds} s, ${rate} megapixels per second, peak ${peak} MB resident (${loaded} MB with the network loaded)${own}`,
  );
}

/** Starts a run and ends it with SIGKILL in the middle; returns the tiles that had been started. */
async function killHalfway(args, tiles) {
  const child = spawn(process.execPath, [program, 'segment', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(child, 'exit');
  let started = 0;
  for await (const line of createInterface({ input: child.stderr })) {
    const found = /^tile (\d+) of/.exec(line);
    if (!found) continue;
    started = Number(found[1]);
    if (started >= tiles / 2) child.kill('SIGKILL');
  }
  await exit;
  return started;
}
