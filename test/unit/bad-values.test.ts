// Every invalid value gives a CellrouteError that names the option.
import {
  CellrouteError,
  classifierConfig,
  cocoDatasetJson,
  cocoResultsJson,
  explanationJson,
  fromCocoBoxes,
  kaggleCsv,
  kaggleTrainCsv,
  labelPng,
  loadNative,
  Masks,
  maskRCNNConfig,
  resultJson,
  stitchSlideRows,
  toCocoBoxes,
  writeOmeZarr,
} from '../../lib/index.js';
import { compareEvaluations, metricOf } from '../../lib/metrics.js';
import { FileObjects } from '../../lib/queue.js';
import { renderComparison, renderOverlay } from '../../lib/render.js';
import { Report } from '../../lib/report.js';
import { Dataset, datasetFrom } from '../../lib/train.js';
import { badValues } from '../support/bad-values.js';

const image = {
  id: 'a',
  image: { data: new Uint8Array(16), width: 4, height: 4, channels: 1 as const },
  masks: Masks.fromCounts([[0, 4, 12]], { width: 4, height: 4 }),
};
type Call = (value: never) => unknown;
const calls: [string, Call][] = [
  ['objects.get(options)', (value) => new FileObjects('objects').get('key', value)],
  ['kaggleCsv(images)', (value) => kaggleCsv(value)],
  ['kaggleTrainCsv(images)', (value) => kaggleTrainCsv(value)],
  ['kaggleTrainCsv(options)', (value) => kaggleTrainCsv([], value)],
  ['cocoDatasetJson(images)', (value) => cocoDatasetJson(value)],
  ['cocoDatasetJson(options)', (value) => cocoDatasetJson([], value)],
  ['cocoResultsJson(images)', (value) => cocoResultsJson(value)],
  ['cocoResultsJson(categories)', (value) => cocoResultsJson([], { categories: value })],
  ['labelPng(result)', (value) => labelPng(value)],
  ['resultJson(result)', (value) => resultJson(value)],
  ['explanationJson(explanation)', (value) => explanationJson(value)],
  ['writeOmeZarr(folder)', (value) => writeOmeZarr({} as never, value)],
  ['toCocoBoxes(boxes)', (value) => toCocoBoxes(value)],
  ['fromCocoBoxes(boxes)', (value) => fromCocoBoxes(value)],
  ['loadNative(options)', (value) => loadNative(value)],
  ['stitchSlideRows(segmenter)', (value) => stitchSlideRows(value, {}, {} as never, [])],
  ['renderOverlay(result)', (value) => renderOverlay(image.image, value)],
  ['renderComparison(predicted)', (value) => renderComparison(image.image, image.masks, value)],
  ['report.add(result)', (value) => new Report().add('a', image.image, value)],
  ['metricOf(evaluation)', (value) => metricOf(value, 'kaggle')],
  ['compareEvaluations(first)', (value) => compareEvaluations(value, { perImage: [] } as never)],
  ['compareEvaluations(second)', (value) => compareEvaluations({ perImage: [] } as never, value)],
  ['datasetFrom(images)', (value) => datasetFrom(value)],
  ['datasetFrom(options)', (value) => datasetFrom([image], value)],
  ['datasetFrom(classNames)', (value) => datasetFrom([image], { classNames: value })],
  ['new Dataset(items)', (value) => new Dataset(value)],
  ['new Dataset(details)', (value) => new Dataset([], value)],
  ['maskRCNNConfig(config)', (value) => maskRCNNConfig(value)],
  ['classifierConfig(config)', (value) => classifierConfig(value)],
];

describe.each(calls)('%s', (name, call) => {
  const takesOptions = /\((options|details|config|categories)\)/.test(name);
  test.each(badValues)('refuses %s', async (_, value) => {
    let error: unknown;
    try {
      await call(value as never);
    } catch (thrown) {
      error = thrown;
    }
    // An object without keys is an object of options.
    const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
    if (error !== undefined || !(takesOptions && isEmpty)) expect(error).toBeInstanceOf(CellrouteError);
  });
});

test('an empty configuration of a classifier is refused', () => {
  expect(() => classifierConfig(undefined as never)).toThrow(CellrouteError);
});
