// A slide by window: megapixels per second and peak resident memory, and whether an interrupted run has the same result.
// tiling_cost.mjs measures an image in tiles beside the same image in one pass.
//   node bench/slide.mjs [--side 3000] [--once] [--images FOLDER] [--keep FOLDER] [--zarr SLIDE.zarr] [--json FILE]
//   node bench/slide.mjs --side 20000 --once --keep FOLDER      the long form, about one pass over the slide
//
// Needs a built checkout (npm run build). The slide is a mosaic of the fluorescence images of FOLDER (form of
// test/data/nuclei), written by sharp as a tiled, pyramidal BigTIFF; the network is the one of test/ensemble. Each run is a
// separate process, so that peak memory is measured per run, and reports its progress on stderr. One run is killed (SIGKILL) in
// the middle and resumed; --once skips the uninterrupted run that it is compared with. With --keep, finished work stays in the
// folder, and the same command continues after an interruption.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { measure, ours } from './side.mjs';

/** Megabytes of resident memory that a slide of 20,000 × 20,000 pixels may need, with network and runtime. */
const MEMORY_GOAL = 1500;
/** Seconds between two lines of progress. */
const PROGRESS_EVERY = 10;

const { values } = parseArgs({
  options: {
    side: { type: 'string', default: '3000' },
    once: { type: 'boolean', default: false },
    images: { type: 'string', default: join(import.meta.dirname, '../test/data/nuclei') },
    keep: { type: 'string' },
    zarr: { type: 'string' },
    json: { type: 'string' },
  },
});
const side = Number(values.side);
const folder = values.keep ? resolve(values.keep) : mkdtempSync(join(tmpdir(), 'cellroute-slide-'));
mkdirSync(folder, { recursive: true });
const program = ours('ours_slide.mjs');
const record = join(folder, `runs-${side}.json`);
const runs = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {};

try {
  console.log(`${cpus().length} x ${cpus()[0].model}; mosaics of fluorescence images, float32`);
  const slide = mosaic(side);
  if (!values.once) runs.whole = await measured('whole', () => segment(slide));
  if (runs.whole) report('in one run', runs.whole);
  const resume = join(folder, `tiles-${side}`);
  runs.killed = await measured('killed', () => killHalfway(slide, resume));
  runs.resumed = await measured('resumed', () => segment(slide, resume));
  report(`killed after ${runs.killed.tiles} tiles and resumed`, runs.resumed, runs.killed);
  compare(runs.resumed);
  if (values.zarr) {
    runs.zarr = await measured('zarr', () => segment(values.zarr));
    report('the same as OME-Zarr', runs.zarr);
    compare(runs.zarr);
  }
  if (values.json) writeFileSync(values.json, JSON.stringify(runs, null, 2));
} finally {
  if (!values.keep) rmSync(folder, { recursive: true, force: true });
}

/** A slide of this side, made once. */
function mosaic(length) {
  const path = join(folder, `mosaic-${length}.tif`);
  if (existsSync(path)) return path;
  const partial = join(folder, `partial-${length}.tif`);
  measure(process.execPath, [program, 'make', partial, String(length), values.images]);
  renameSync(partial, path);
  return path;
}

/** The measurement of an earlier process, or a new one, which is stored. */
async function measured(name, run) {
  if (runs[name]) return runs[name];
  const found = await run();
  writeFileSync(record, JSON.stringify({ ...runs, [name]: found }));
  return found;
}

/** Segments a slide in a separate process. */
async function segment(...args) {
  const { code, line } = await follow(args, () => false);
  if (code !== 0) throw new Error(`the run on ${args.join(', ')} ended with ${code}`);
  return JSON.parse(line);
}

/** Ends a run with SIGKILL in the middle; returns its progress. */
async function killHalfway(...args) {
  const { progress } = await follow(args, ({ tile, of }) => tile > of / 2);
  if (!progress) throw new Error('the run ended before its first tile');
  return { tiles: progress.tile, seconds: progress.seconds, peak_mb: progress.peak_mb };
}

/** A run whose progress is shown, until it ends or `isEnough`: its exit code, last line of output and last progress. */
async function follow(args, isEnough) {
  const child = spawn(process.execPath, [program, 'segment', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  let line = '';
  createInterface({ input: child.stdout }).on('line', (text) => {
    line = text;
  });
  let progress;
  let shown = 0;
  for await (const text of createInterface({ input: child.stderr })) {
    const found = /^tile (\d+) of (\d+), (\d+) s, peak (\d+) MB$/.exec(text);
    if (!found) {
      console.error(text);
      continue;
    }
    const [tile, of, seconds, peak] = found.slice(1).map(Number);
    progress = { tile, of, seconds, peak_mb: peak };
    if (seconds >= shown + PROGRESS_EVERY) {
      shown = seconds;
      console.error(`  ${text}`);
    }
    if (isEnough(progress)) child.kill('SIGKILL');
  }
  const [code] = await closed;
  return { code, line, progress };
}

function report(name, run, before = { seconds: 0, peak_mb: 0 }) {
  const { megapixels, cells, tiles, resumed, loaded_mb: loaded } = run;
  const seconds = run.seconds + before.seconds;
  const peak = Math.max(run.peak_mb, before.peak_mb);
  const goal = peak <= MEMORY_GOAL ? 'within' : 'ABOVE';
  const own = resumed > 0 ? `, ${resumed} tiles read from the first run` : '';
  console.log(
    `${name}: ${cells} cells in ${tiles} tiles, ${seconds.toFixed(1)} s, ${(megapixels / seconds).toFixed(2)} megapixels per second, ` +
      `peak ${peak} MB resident (${loaded} MB with the network loaded), ${goal} ${MEMORY_GOAL} MB${own}`,
  );
}

function compare({ hash }) {
  if (!runs.whole) return;
  console.log(`the same result: ${hash === runs.whole.hash}`);
  if (hash !== runs.whole.hash) process.exitCode = 1;
}
