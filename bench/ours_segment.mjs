// cellroute's Mask R-CNN on one image. The argument is a task in JSON: {image, weights, config, precision, options}.
// Prints the load times; then, for each line {warmup, repeats} on stdin, a line of JSON: seconds, cells, peak memory,
// event-loop delay, and seconds per stage.
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { CellSegmenter, loadNative } from 'cellroute';
import sharp from 'sharp';

const task = JSON.parse(process.argv[2]);
const peakMb = () => Math.round(process.resourceUsage().maxRSS / 102.4) / 10;
const say = (value) => console.log(JSON.stringify(value));

// The profile is one line per image on stderr, which is intercepted below.
process.env.CELLROUTE_PROFILE = '1';
const profiles = [];
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = (chunk, ...rest) => {
  if (!String(chunk).startsWith('{"width"')) return write(chunk, ...rest);
  profiles.push(JSON.parse(chunk));
  return true;
};

// Decoded once before the measurement, as for the peer.
const { data, info } = await sharp(task.image).removeAlpha().raw().toBuffer({ resolveWithObject: true });
const image = { data: new Uint8Array(data), width: info.width, height: info.height, channels: info.channels };

// Loads LibTorch and reads the file's pages into memory first, so that the network is timed, not the disk.
const opened = performance.now();
const { libtorchVersion } = loadNative();
const libtorchSeconds = (performance.now() - opened) / 1000;
readFileSync(task.weights);
const started = performance.now();
const segmenter = await CellSegmenter.load(task.weights, {
  ...(task.config ? { config: task.config } : {}),
  precision: task.precision,
});
say({
  load_seconds: Math.round(performance.now() - started) / 1000,
  libtorch_seconds: Math.round(libtorchSeconds * 1000) / 1000,
  loaded_rss_mb: peakMb(),
  versions: { node: process.version, libtorch: libtorchVersion },
});

for await (const line of createInterface({ input: process.stdin })) {
  const { warmup, repeats, options } = { options: task.options, ...JSON.parse(line) };
  for (let i = 0; i < warmup; i++) await segmenter.segment(image, options);
  profiles.length = 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const seconds = [];
  let cells;
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    ({ cells } = await segmenter.segment(image, options));
    seconds.push(Math.round(performance.now() - start) / 1000);
  }
  delay.disable();
  say({
    seconds,
    peak_rss_mb: peakMb(),
    detections: cells.length,
    scores: Array.from(cells.scores, (score) => Math.round(score * 1e6) / 1e6),
    // The delay includes the monitor's own 1 ms timer.
    event_loop_delay_ms: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    stages: profiles.map((profile) => profile.seconds),
  });
}
await segmenter.dispose();
