// Time, peak memory and event-loop delay of cellroute's Mask R-CNN on one picture: one line of JSON.
//   node bench/ours_segment.mjs PICTURE WEIGHTS CONFIG.json|- REPEATS MIN_SCORE MASK_THRESHOLD [PRECISION]
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { CellSegmenter, loadNative } from 'cellroute';
import sharp from 'sharp';

const [picture, weights, configFile, repeats, minScore, maskThreshold, precision = 'float32'] =
  process.argv.slice(2);
const peakMb = () => Math.round(process.resourceUsage().maxRSS / 102.4) / 10;

// Decoded once, outside, as for the peer.
const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
const image = { data: new Uint8Array(data), width: info.width, height: info.height, channels: info.channels };
const options = { minScore: Number(minScore), maskThreshold: Number(maskThreshold) };

const started = performance.now();
const config = configFile === '-' ? {} : { config: JSON.parse(readFileSync(configFile, 'utf8')) };
const segmenter = await CellSegmenter.load(weights, { ...config, precision });
const loadSeconds = (performance.now() - started) / 1000;
const loadedRss = peakMb();

await segmenter.segment(image, options);
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const seconds = [];
let cells = 0;
for (let i = 0; i < Number(repeats); i++) {
  const start = performance.now();
  cells = (await segmenter.segment(image, options)).cells.length;
  seconds.push(Math.round(performance.now() - start) / 1000);
}
delay.disable();
console.log(
  JSON.stringify({
    seconds,
    load_seconds: Math.round(loadSeconds * 1000) / 1000,
    peak_rss_mb: peakMb(),
    loaded_rss_mb: loadedRss,
    detections: cells,
    // monitorEventLoopDelay counts its own 1 ms timer in.
    event_loop_delay_ms: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    versions: { node: process.version, libtorch: loadNative().libtorchVersion },
  }),
);
await segmenter.dispose();
