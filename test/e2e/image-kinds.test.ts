import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Intensity } from '../../lib/config/shared.js';
import { Dataset } from '../../lib/data/dataset.js';
import { openDataset } from '../../lib/data/open.js';
import { decodeImage, readImageInfo } from '../../lib/image/decode.js';
import { CellClassifier } from '../../lib/inference/classifier.js';
import { RoutedEnsemble } from '../../lib/inference/ensemble.js';
import { CellSegmenter } from '../../lib/inference/segmenter.js';
import type { RunningServer } from '../../lib/serve/server.js';
import { SegmenterTrainer } from '../../lib/trainer/segmenter-trainer.js';
import { tuneEnsemble } from '../../lib/tune/tune-ensemble.js';
import { cellroute } from '../support/cli.js';
import { workFolder } from '../support/data-folder.js';
import { type Outcome, printOutcomes } from '../support/outcomes.js';
import { animated, withChunk } from '../support/png.js';
import { fewProposals, testEnsemble } from '../support/sdk.js';
import { json, post, ready } from '../support/serve.js';
import { tinySampling, tinySegmenter } from '../support/synthetic.js';
import { type TestPage, writeTiff } from '../support/tiff.js';

// Every kind of image file through everything that reads images: which read it, which warn, which refuse. All agree.

const [width, height] = [64, 64];
const grey = Uint8Array.from({ length: width * height }, (_, i) =>
  i % width < 20 && i / width < 20 ? 200 : 10 + (i % 7),
);
const raw = { width, height, channels: 1 as const };
const drawn = () => sharp(grey, { raw }).toColourspace('b-w');
const wide = () => drawn().extract({ left: 0, top: 0, width, height: 48 });
const pages = (...all: Partial<TestPage>[]) =>
  writeTiff(all.map((own) => ({ width, height, values: grey, ...own })));
const stack = 'ImageJ=1.54f\nimages=3\nslices=3\n';

const companion =
  '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1"><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:2"/></OME>';
const frames = async () => {
  const both = [await drawn().png().toBuffer(), await drawn().negate().png().toBuffer()];
  return sharp(both, { join: { animated: true } })
    .webp({ lossless: true })
    .toBuffer();
};
const sixteen = () => drawn().toColourspace('grey16').png().toBuffer();

/** A slide of Aperio: tiles, and its thumbnail, label and overview in strips, which no tag marks. */
const aperio = () => {
  const description = 'Aperio Image Library v12.0.15 \r\n64x64 [0,0 64x64] (16x16) JPEG/RGB Q=70';
  const extra = (height: number, text: string) => ({
    ...{ height, values: grey.subarray(0, width * height), description: text },
  });
  return pages(
    { tile: 16, description },
    extra(64, description),
    extra(40, 'Aperio Image Library v12.0.15 \r\nlabel 64x40'),
    extra(20, 'Aperio Image Library v12.0.15 \r\nmacro 64x20'),
  );
};

const lookup = Array.from({ length: 768 }, (_, i) => (i < 256 ? 257 * i : 0));
const ome = (images: number) =>
  `<OME xmlns="x">${'<Image><Pixels DimensionOrder="XYCZT" SizeC="1" SizeZ="1" SizeT="1"/></Image>'.repeat(images)}</OME>`;
/** A JPEG whose frame states 12 bits per sample. */
const twelveBits = async () => {
  const bytes = await drawn().jpeg().toBuffer();
  bytes[bytes.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
  return bytes;
};

const kinds: [name: string, make: () => Promise<Buffer> | Buffer, expected: Outcome][] = [
  ['grey.png', () => drawn().png().toBuffer(), 'read'],
  ['turned.jpg', () => wide().jpeg().withMetadata({ orientation: 6 }).toBuffer(), 'read'],
  ['lossless.webp', () => drawn().webp({ lossless: true }).toBuffer(), 'read'],
  ['counts.tif', () => pages({ values: Uint16Array.from(grey, (value) => 16 * value) }), 'read'],
  ['floats.tif', () => pages({ values: Float32Array.from(grey, (value) => 16 * value), format: 3 }), 'read'],
  ['inverted.tif', () => pages({ photometric: 0 }), 'read'],
  ['pages.tif', () => pages({}, {}), 'warn'],
  ['stack.tif', () => pages({ description: stack }, {}, {}), 'warn'],
  ['channels.tif', () => pages({ values: new Uint8Array(2 * grey.length), samples: 2 }), 'refuse'],
  ['signed.tif', () => pages({ values: Int16Array.from(grey), format: 2 }), 'refuse'],
  ['packed.tif', () => pages({ bits: 12 }), 'refuse'],
  ['zstandard.tif', () => pages({ tags: { 259: [50_000] } }), 'refuse'],
  [
    'ycbcr.tif',
    () => pages({ values: new Uint8Array(3 * grey.length), samples: 3, photometric: 6 }),
    'refuse',
  ],
  ['lookup.tif', () => pages({ photometric: 3, description: ome(1), tags: { 320: lookup } }), 'warn'],
  ['series.tif', () => pages({ description: ome(2) }, {}), 'warn'],
  ['twelve.jpg', () => twelveBits(), 'refuse'],
  ['aperio.tif', () => aperio(), 'read'],
  [
    'leica.tif',
    () =>
      pages({
        description: '<?xml version="1.0"?>\n<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">',
      }),
    'refuse',
  ],
  ['ventana.tif', () => pages({ texts: { 700: '<EncodeInfo Ver="2"><SlideStitchInfo/>' } }), 'refuse'],
  ['companion.tif', () => pages({ description: companion }), 'warn'],
  ['animated.webp', () => frames(), 'warn'],
  ['animated.png', async () => animated(await drawn().png().toBuffer()), 'warn'],
  ['sixteen-of-twelve.png', async () => withChunk(await sixteen(), 'sBIT', Buffer.from([12])), 'read'],
  ['gamma.png', async () => withChunk(await sixteen(), 'gAMA', Buffer.from([0, 0, 0xb1, 0x8f])), 'read'],
  ['slide.jpg', () => drawn().jpeg().toBuffer(), 'refuse'],
  ['gif.png', () => Buffer.from('GIF89a and more of it'), 'refuse'],
  ['cut.png', async () => (await drawn().png().toBuffer()).subarray(0, 60), 'refuse'],
];

const folder = workFolder();
const cellType = 'fluorescence';

/** An ensemble whose networks follow one rule of intensities, also in a folder. */
async function ensembleOf(kind: Intensity['kind']): Promise<RoutedEnsemble> {
  const config = { intensity: { kind } };
  const classifier = await CellClassifier.load(join(testEnsemble, 'classifier.safetensors'), { config });
  const segmenter = await CellSegmenter.load(join(testEnsemble, 'fluorescence.safetensors'), {
    config: { ...config, rpn: fewProposals },
  });
  const none = Object.fromEntries(classifier.config.classNames.map((name) => [name, null]));
  const ensemble = new RoutedEnsemble({ classifier, segmenters: { ...none, [cellType]: segmenter } });
  await ensemble.save(folder.path(`ensemble ${kind}`));
  return ensemble;
}

let ensembles: Record<'min-max' | 'type-range', RoutedEnsemble>;
beforeAll(async () => {
  ensembles = { 'min-max': await ensembleOf('min-max'), 'type-range': await ensembleOf('type-range') };
  folder.write('kinds/slide/Slidedat.ini', '');
  for (const [name, make] of kinds) {
    const content = await make();
    folder.write(`kinds/${name}`, content);
    folder.write(`${setOf(name)}/images/${name}`, content);
    const size = await readImageInfo(folder.path('kinds', name)).catch(() => ({ width, height }));
    const labels = new Uint16Array(size.width * size.height).fill(1, 0, 40);
    await folder.labels(`${setOf(name)}/labels/${name.split('.')[0]}.png`, labels, size.width, size.height);
  }
  folder.write(`${setOf('slide.jpg')}/images/slide/Slidedat.ini`, '');
});
afterAll(() => Promise.all(Object.values(ensembles).map((one) => one.dispose())));

let server: RunningServer;
beforeAll(async () => {
  server = await ready({ ensemble: ensembles['min-max'] });
});
afterAll(() => server.close());

/** Notices of the result that the service answers. Its errors are thrown. */
async function served(name: string): Promise<Notices> {
  const body = new Uint8Array(readFileSync(folder.path('kinds', name)));
  const answer = await json(post(server, `/v1/segment?cellType=${cellType}`, { body }));
  if ('code' in answer) throw answer;
  return answer.notices as Notices;
}

const setOf = (name: string): string => `set of ${name}`;
const open = (name: string) => openDataset(folder.path(setOf(name)));

type Notices = readonly unknown[] | undefined;

/** What reads an image with networks of a rule, and what is reported then. */
function networksOf(rule: keyof typeof ensembles, name: string): Record<string, () => Promise<Notices>> {
  const ensemble = ensembles[rule];
  const path = folder.path('kinds', name);
  return {
    classify: async () => (await ensemble.classifier.classify(path)).notices,
    segment: async () => (await ensemble.segment(path, { cellType })).notices,
    tune: async () => {
      const { items } = await open(name);
      const typed = new Dataset(items.map((item) => ({ ...item, cellType })));
      const grid = {
        minScore: [0.5],
        maskThreshold: [0.5],
        nmsThreshold: [0.5],
        minArea: [0],
        maxLost: [null],
      };
      return (await tuneEnsemble(ensemble, typed, { grid }))[cellType]!.notices;
    },
    train: async () => {
      const data = await open(name);
      const network = { ...tinySegmenter, intensity: { kind: rule } };
      const config = {
        network,
        sampling: tinySampling,
        epochs: null,
        steps: 1,
        logs: { tensorboard: false },
      };
      const run = new SegmenterTrainer({ data, folder: folder.path(`${rule} run of ${name}`), config }).run();
      const messages: unknown[] = [...data.notices];
      for await (const event of run) {
        if (event.kind === 'notice' && /bits/.test(event.message)) messages.push(event);
      }
      return messages;
    },
  };
}

/** What each reader makes of an image; an error has to be about the image. */
async function outcomesOf(readers: Record<string, () => Promise<Notices>>): Promise<Record<string, Outcome>> {
  const found: Record<string, Outcome> = {};
  for (const [reader, action] of Object.entries(readers)) {
    found[reader] = await action().then(
      (notices) => (notices?.length ? 'warn' : 'read'),
      (error: { code?: string }) => {
        expect(error.code).toMatch(/^(IMAGE_UN(SUPPORTED|READABLE)|DATA_INVALID)$/);
        return 'refuse';
      },
    );
  }
  return found;
}

const all = new Map<string, Record<string, Outcome>>();
const expectAll = (name: string, found: Record<string, Outcome>, expected: Outcome) => {
  all.set(name, { ...all.get(name), ...found });
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((reader) => [reader, expected])));
};
afterAll(() => printOutcomes('image', all));

test.each(kinds)('%s', async (name, _make, expected) => {
  const path = folder.path('kinds', name);
  const found = await outcomesOf({
    readImageInfo: async () => (await readImageInfo(path)).source.notices,
    decodeImage: async () => (await decodeImage(path)).source?.notices,
    openDataset: async () => (await open(name)).notices,
    ...networksOf('min-max', name),
    // The folder of pixels beside a file is unknown to the service.
    ...(name !== 'slide.jpg' && { 'POST /v1/segment': () => served(name) }),
  });
  expectAll(name, found, expected);
});

test.each([
  ['counts.tif', 'warn'],
  ['floats.tif', 'refuse'],
] as const)('%s under type-range', async (name, expected) => {
  expectAll(`${name}, type-range`, await outcomesOf(networksOf('type-range', name)), expected);
});

test.each([
  ['segment', '-o', 'kinds out', '-f', 'json', '--cell-type', cellType],
  ['report', '-o', 'kinds.html', '--cell-type', cellType],
  ['classify'],
])('cellroute %s', async (command, ...flags) => {
  const model = folder.path('ensemble min-max');
  const run = async (...names: string[]) => {
    const paths = names.map((name) => join('kinds', name));
    // Relative paths, as in the messages that are searched below.
    const before = process.cwd();
    process.chdir(folder.path());
    try {
      return (await cellroute(command!, ...paths, ...flags, '-m', model)).stderr;
    } finally {
      process.chdir(before);
    }
  };
  // A slide of many files is refused before work on the others begins.
  const slide = await run('slide.jpg');
  expect(slide).toMatch(/MRXS.*\[IMAGE_UNSUPPORTED\]\n$/);
  const said = await run(...kinds.map(([name]) => name).filter((name) => name !== 'slide.jpg'));
  for (const [name, , expected] of kinds) {
    const isRefused = name === 'slide.jpg' || said.includes(`- ${join('kinds', name)}: `);
    const found = isRefused ? 'refuse' : said.includes(`${name}: `) ? 'warn' : 'read';
    expectAll(name, { [`cellroute ${command}`]: found }, expected);
  }
});
