import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from '../support/sdk.js';

/** Folder of the jars of Debian's libij-java, libjts-java and libjson-simple-java. */
const JARS = '/usr/share/java';
const python = process.env.CELLROUTE_INTEROP_PYTHON;
const folder = mkdtempSync(join(tmpdir(), 'cellroute-interop-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(program: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout.trim();
}

const write = (...args: string[]) => run(process.execPath, [join(__dirname, 'write.mjs'), folder, ...args]);

const hasJava = spawnSync('java', ['--version']).status === 0;
const missingJars = (names: string[]) => names.filter((name) => !existsSync(join(JARS, name)));

function java(program: string, jars: string[], args: string[]): string {
  const path = jars.map((name) => join(JARS, name)).join(delimiter);
  return run('java', ['-Djava.awt.headless=true', '-cp', path, join(__dirname, program), ...args]);
}

/** `test`, or a skip that says what is missing. */
function javaTest(title: string, jars: string[], body: () => void): void {
  const missing = [...(hasJava ? [] : ['java']), ...missingJars(jars)];
  if (missing.length === 0) test(title, body);
  else test.skip(`${title} (missing: ${missing.join(', ')})`, () => {});
}

/** `test`, or a skip that says what is missing. */
function pythonTest(title: string, body: () => void): void {
  if (python !== undefined) test(title, body);
  else test.skip(`${title} (missing: CELLROUTE_INTEROP_PYTHON, set by npm run test:interop)`, () => {});
}

const read = (subject: string) => {
  const printed = run(python!, [join(__dirname, 'read.py'), subject, folder]);
  // napari's reader of OME-Zarr prints the attributes first.
  expect(printed.split('\n').at(-1)).toBe('equal');
};

const IMAGEJ = ['ij.jar'];
const JTS = ['jts-core.jar', 'jts-io-common.jar', 'json-simple.jar'];
const inFolder = (name: string) => join(folder, name);
/** Of a PNG, from its header. */
const imageWidth = () => readFileSync(inFolder('nuclei.png')).readUInt32BE(16);

/** Area of each cell of a case, one per line. */
function writeAreas(name: string): string {
  const bytes = readFileSync(inFolder(`${name}.u32`));
  const labels = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const areas: number[] = [];
  for (const label of labels) if (label > 0) areas[label - 1] = (areas[label - 1] ?? 0) + 1;
  writeFileSync(inFolder(`${name}.areas.txt`), areas.join('\n'));
  return inFolder(`${name}.areas.txt`);
}

beforeAll(() => {
  write();
  write('100000');
});

describe('QuPath', () => {
  javaTest('outlines survive its rounding: holes, parts, single pixels, corners', JTS, () => {
    for (const [name, count] of [
      ['shapes', 10],
      ['wide', 3],
    ] as const) {
      const areas = writeAreas(name);
      expect(java('ReducePrecision.java', JTS, [inFolder(`${name}.geojson`), areas])).toBe(
        `${count} outlines`,
      );
    }
  });

  javaTest('100,000 outlines survive its rounding', JTS, () => {
    const args = [inFolder('many.geojson'), inFolder('many.areas.txt')];
    expect(java('ReducePrecision.java', JTS, args)).toBe('100000 outlines');
  });
});

describe('ImageJ', () => {
  javaTest('ROIs have the pixels of their cells, also beyond 65,536', IMAGEJ, () => {
    const rois = (name: string, ...more: string[]) =>
      java('ReadRois.java', IMAGEJ, [inFolder(`${name}.rois.zip`), inFolder(`${name}.u32`), ...more]);
    expect(rois('shapes', '90', '2', '3')).toBe('10 ROIs');
    expect(rois('wide', '70200')).toBe('3 ROIs');
  });

  javaTest('label images have the values and the pixel size', IMAGEJ, () => {
    for (const ending of ['.labels.tif', '_cp_masks.tif', '.labels.ome.tif']) {
      const found = java('ReadTiff.java', IMAGEJ, [
        inFolder(`large${ending}`),
        inFolder('large.u32'),
        '1300',
      ]);
      expect([ending, found]).toEqual([ending, expect.stringMatching(/^16 bits, 0\.32(50000|49999)\d* µm$/)]);
    }
    const dense = ['dense.labels.tif', 'dense.u32'].map(inFolder);
    expect(java('ReadTiff.java', IMAGEJ, [...dense, '280'])).toMatch(/^32 bits, /);
  });
});

describe('Python', () => {
  const programs = {
    tiff: 'tifffile reads label images, in strips and tiles',
    ome: 'ome-types reads sizes and pixel sizes',
    rois: 'roifile reads names, positions and coordinates',
    tables: 'pandas reads the tables, which equal scikit-image',
    zarr: 'zarr and ome-zarr-models read the pyramid',
    napari: 'napari opens label images and the pyramid as layers of labels',
    geojson: 'outlines have ids, classes and measurements',
    many: 'zipfile and roifile read 100,000 ROIs',
  };
  for (const [subject, title] of Object.entries(programs)) pythonTest(title, () => read(subject));
});

pythonTest('an OME-TIFF of three channels ends as files that all of them open', () => {
  copyFileSync(join(root, 'examples/images/fluorescence-small-crowded.png'), inFolder('nuclei.png'));
  read('make_image');
  // Beside a node_modules folder with the package, as in an application.
  cpSync(join(root, 'examples'), inFolder('examples'), { recursive: true });
  mkdirSync(inFolder('node_modules'));
  symlinkSync(root, inFolder('node_modules/cellroute'), 'junction');
  run(process.execPath, [
    inFolder('examples/open-in-programs.mjs'),
    inFolder('nuclei.ome.tif'),
    inFolder('opened'),
  ]);
  read('example');
  if (!hasJava || missingJars([...IMAGEJ, ...JTS]).length > 0) return;
  const { length } = readFileSync(inFolder('opened.areas.txt'), 'utf8').split('\n');
  const opened = (ending: string) => inFolder(`opened/nuclei.ome${ending}`);
  expect(java('ReducePrecision.java', JTS, [opened('.geojson'), inFolder('opened.areas.txt')])).toBe(
    `${length} outlines`,
  );
  const width = String(imageWidth());
  expect(java('ReadRois.java', IMAGEJ, [opened('.rois.zip'), inFolder('opened.u32'), width])).toBe(
    `${length} ROIs`,
  );
});
