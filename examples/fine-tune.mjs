// Fine-tunes a starter segmenter on your images and uses the result.
//
//   node fine-tune.mjs DATA OUT [STEPS] [START]
//
// DATA is any data set that openDataset reads, for example a folder with images/ and labels/. Without STEPS it takes ten
// minutes. Without START each starter segmenter is tried. The same from the command line: cellroute finetune DATA --out OUT
import { decodeImage, RoutedEnsemble } from 'cellroute';
import { finetune, openDataset } from 'cellroute/train';

const [folder, out, steps, start = 'auto'] = process.argv.slice(2);
if (!folder || !out) throw new Error('usage: node fine-tune.mjs DATA OUT [STEPS] [START]');

const data = await openDataset(folder);
const summary = await finetune(data, {
  out,
  start,
  ...(steps ? { steps: Number(steps) } : { minutes: 10 }),
  onEvent: (event) => {
    if (event.kind === 'chosen') console.log(`starts from ${event.name} at scale ${event.scale}`);
    if (event.kind === 'held-out') console.log(`${event.model}: ${event.metric} ${event.score.toFixed(3)}`);
    if (event.kind === 'training' && event.event.kind === 'step')
      console.log(`step ${event.event.step} of ${event.event.steps}: loss ${event.event.total.toFixed(3)}`);
  },
});
const { start: before, result: after } = summary.scores;
console.log(`before ${before.score.toFixed(3)}, after ${after.score.toFixed(3)}: ${summary.result}`);

const ensemble = await RoutedEnsemble.load(out);
try {
  const { image } = await data.items[0].load();
  const { cells } = await ensemble.segment(await decodeImage(image));
  console.log(`${cells.length} cells in ${data.items[0].id}`);
} finally {
  await ensemble.dispose();
}
