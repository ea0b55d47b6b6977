// Comparison of sides that were measured alternately (`inTurns`).
import { median } from './side.mjs';

export const secondsOf = (side) => median(side.answers.flatMap(({ seconds }) => seconds));
export const peakOf = (side) => Math.max(...side.answers.map((answer) => answer.peak_rss_mb));

/** Speed-up over the peer: median of the ratios per round, because other work on the machine slows both sides alike. */
export const timesAsFast = (own, peer) =>
  median(own.answers.map(({ seconds }, i) => median(peer.answers[i].seconds) / median(seconds)));

/** Result of a row: ours and the peer's time. `gflop` is the work of ours, counted as direct convolutions. */
export function beside(own, peer, gflop) {
  const failure = own.failure ?? peer.failure;
  if (failure) return { skipped: failure };
  return {
    value: timesAsFast(own, peer),
    ours: `${significant(secondsOf(own))} s`,
    peer: `${significant(secondsOf(peer))} s`,
    ...(gflop ? { gflops: gflop / secondsOf(own) } : {}),
    note: agreement(own.answers[0], peer.answers[0]),
  };
}

/** Result of a row: ours and the peer's peak memory. */
export function memoryBeside(own, peer) {
  const failure = own.failure ?? peer.failure;
  if (failure) return { skipped: failure };
  return {
    value: peakOf(own) / peakOf(peer),
    ours: `${Math.round(peakOf(own))} MB`,
    peer: `${Math.round(peakOf(peer))} MB`,
  };
}

/** Prints time and memory of both sides under a title; `what` names the timed work. */
export function printBeside(title, what, { cellroute, torchvision }) {
  const time = beside(cellroute, torchvision);
  if (time.skipped) throw new Error(time.skipped);
  const memory = memoryBeside(cellroute, torchvision);
  const row = (name, ...columns) =>
    console.log(`${name.padEnd(26)} ${columns.map((text) => String(text).padStart(12)).join(' ')}`);
  console.log(title);
  row('', 'cellroute', 'torchvision', 'ratio');
  row(what, time.ours, time.peer, time.value.toFixed(2));
  row('peak resident', memory.ours, memory.peer, (1 / memory.value).toFixed(2));
  return { time, memory };
}

export const significant = (number) => (number < 100 ? number.toPrecision(3) : number.toFixed(0));

/** Agreement of both sides: number of cells, and the largest difference of scores of common cells. */
function agreement(own, peer) {
  if (!own.scores || !peer.scores) return '';
  const gap = own.scores.reduce(
    (max, score, i) => Math.max(max, Math.abs(score - (peer.scores[i] ?? score))),
    0,
  );
  return `${own.detections} of the peer's ${peer.detections} cells, scores within ${gap.toPrecision(1)}`;
}
