// Data of the experiments on fine-tuning: images that are kept back from all training, images to train on, and the evaluation of a
// model on the first ones.
import { random } from '../dist/data/random.js';
import { CellSegmenter } from '../dist/index.mjs';
import { starterSegmenters } from '../dist/inference/starter.js';
import { segmentItems } from '../dist/metrics/segment-items.js';
import { evaluate } from '../dist/metrics.mjs';
import { openDataset } from '../dist/train.mjs';

const text = { type: 'string' };

/** Command line options that select images, for parseArgs. */
export const dataOptions = {
  data: text,
  images: text,
  'cell-type-column': text,
  where: text,
  type: text,
  'kept-back': { ...text, default: '0.5' },
  seed: { ...text, default: '3011' },
};

/**
 * Splits a data set into images to train on and images that are kept back: a share that is drawn per type from the seed, or those whose
 * column has a value (COLUMN=VALUE).
 */
export async function splitData(values) {
  const opened = await openDataset(values.data, {
    ...(values.images && { images: values.images }),
    ...(values['cell-type-column'] && { cellTypeColumn: values['cell-type-column'].split(',') }),
  });
  const data = opened.filter({
    ...(values.type && { cellTypes: values.type.split(',') }),
    where: matches(values.where),
  });
  const fraction = Number(values['kept-back']);
  if (Number.isFinite(fraction)) {
    const { train, validation } = data.split({ fraction, seed: Number(values.seed) });
    return { data, train, keptBack: validation };
  }
  const isKeptBack = matches(values['kept-back']);
  return {
    data,
    train: data.filter({ where: (item) => !isKeptBack(item) }),
    keptBack: data.filter({ where: isKeptBack }),
  };
}

/** A condition on an image from COLUMN=VALUE; every image matches if there is none. */
function matches(condition) {
  const [column, value] = condition?.split('=') ?? [];
  return ({ columns }) => column === undefined || columns[column] === value;
}

/** `count` images, evenly of each type, the same ones first for every count. */
export function firstOf(items, count, seed) {
  const types = [...new Set(items.map(({ cellType }) => cellType ?? ''))].sort();
  const queues = types.map((type) =>
    random(seed, 'curve', type).shuffle(items.filter((item) => (item.cellType ?? '') === type)),
  );
  const chosen = [];
  while (chosen.length < Math.min(count, items.length)) {
    for (const queue of queues) if (queue.length > 0 && chosen.length < count) chosen.push(queue.shift());
  }
  return chosen;
}

/** Evaluates a function from an image to a result on images. */
export const evaluationOf = async (segment, items) =>
  evaluate(await segmentItems(items, segment), { bootstrap: { samples: 10_000 } });

/** Evaluates a file of weights with options of `segment`. */
export async function evaluationOfFile(path, options, items) {
  const segmenter = await CellSegmenter.load(path);
  try {
    return await evaluationOf((image) => segmenter.segment(image, options), items);
  } finally {
    await segmenter.dispose();
  }
}

/** The segmenter of the starter ensemble that a summary of `finetune` names as its start. */
export const starterOf = async ({ start }) =>
  (await starterSegmenters()).find(({ type }) => type === start.name);
