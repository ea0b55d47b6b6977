import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { cellroute } from '../support/cli.js';
import { listing } from '../support/data-folder.js';
import { image, root, testEnsemble } from '../support/sdk.js';

const main = join(root, 'dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('segment', () => {
  test('writes every format for each image, and reports the bad image at the end', async () => {
    const images = join(folder, 'images');
    mkdirSync(images);
    copyFileSync(image.small, join(images, 'a.png'));
    copyFileSync(image.medium, join(images, 'c.png'));
    writeFileSync(join(images, 'b.png'), 'this is not an image');
    const out = join(folder, 'out');
    const { status, stdout, stderr } = await cellroute('segment', images, '--out', out);
    expect(status).toBe(1);
    expect(stdout).toMatch(/a\.png: fluorescence \([\d.]+\), \d+ cells\nc\.png/);
    expect(stderr).toMatch(/1 of 3 images failed:\n- .*b\.png: .*\[IMAGE_UN/);
    const names = [
      'a.json',
      'a.labels.png',
      'a.overlay.png',
      'c.json',
      'c.labels.png',
      'c.overlay.png',
      'coco.json',
      'kaggle.csv',
    ];
    expect(listing(out)).toEqual(names);

    const result = JSON.parse(readFileSync(join(out, 'a.json'), 'utf8')) as { cells: unknown[] };
    const { data, info } = await sharp(join(out, 'a.labels.png'))
      .toColourspace('grey16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([256, 256, 1]);
    const labels = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
    expect(Math.max(...labels)).toBe(result.cells.length);
    const rows = readFileSync(join(out, 'kaggle.csv'), 'utf8').trim().split('\n');
    expect(rows[0]).toBe('id,predicted');
    expect(rows.filter((row) => row.startsWith('a,'))).toHaveLength(result.cells.length);
    const coco = JSON.parse(readFileSync(join(out, 'coco.json'), 'utf8')) as {
      images: { file_name: string }[];
    };
    expect(coco.images.map(({ file_name }) => file_name)).toEqual(['a.png', 'c.png']);
  });

  test('two images with the same name keep both results', async () => {
    const twin = join(folder, 'twin');
    mkdirSync(twin);
    copyFileSync(image.small, join(folder, 'x.png'));
    copyFileSync(image.medium, join(twin, 'x.png'));
    const out = join(folder, 'twins');
    expect(
      (await cellroute('segment', join(folder, 'x.png'), join(twin, 'x.png'), '-o', out, '-f', 'json'))
        .status,
    ).toBe(0);
    expect(listing(out)).toEqual(['twin/x.json', 'x.json']);
    const nameIn = (file: string) => JSON.parse(readFileSync(join(out, file), 'utf8')).name;
    expect(listing(out).map(nameIn)).toEqual(['twin/x.png', 'x.png']);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops cleanly and keeps finished results', async (signal, status) => {
    const many = join(folder, `many-${signal}`);
    mkdirSync(many);
    const stems = Array.from({ length: 40 }, (_, i) => String(i).padStart(2, '0'));
    for (const stem of stems) copyFileSync(image.large, join(many, `${stem}.png`));
    const out = join(folder, `stopped-${signal}`);
    const options = ['-m', testEnsemble, '-o', out, '-f', 'json,kaggle,coco'];
    const child = spawn(process.execPath, [main, 'segment', many, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Two images are in progress, and either may finish first.
    await resultsIn(out, 2, child);
    child.kill(signal);
    const { code, stderr } = await ended(child);
    expect(code).toBe(status);
    expect(stderr).toMatch(/Stopped: \d+ of 40 images are finished/);
    const done = stems.filter((stem) => existsSync(join(out, `${stem}.json`)));
    expect(done.length).toBeGreaterThanOrEqual(2);
    expect(done.length).toBeLessThan(40);
    for (const stem of done) JSON.parse(readFileSync(join(out, `${stem}.json`), 'utf8'));
    // The files of the run are whole and have the finished images, in their order.
    const coco = JSON.parse(readFileSync(join(out, 'coco.json'), 'utf8')) as {
      images: { file_name: string }[];
    };
    expect(coco.images.map(({ file_name }) => file_name)).toEqual(done.map((stem) => `${stem}.png`));
    const rows = readFileSync(join(out, 'kaggle.csv'), 'utf8').trim().split('\n').slice(1);
    expect([...new Set(rows.map((row) => row.split(',')[0]))]).toEqual(done);
    expect(readdirSync(out).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test.each([
    ['whole', []],
    ['in tiles', ['--tiles', '256,64']],
  ])('writes a profile if CELLROUTE_PROFILE is set: %s', async (_, flags) => {
    const { stderr } = spawnSync(
      process.execPath,
      [
        main,
        'segment',
        image.medium,
        '-m',
        testEnsemble,
        '-o',
        join(folder, 'profiled'),
        '-f',
        'json',
        ...flags,
      ],
      { encoding: 'utf8', env: { ...process.env, CELLROUTE_PROFILE: '1' } },
    );
    const { seconds, total, ...rest } = JSON.parse(stderr);
    const cells = JSON.parse(
      readFileSync(join(folder, 'profiled', `${basename(image.medium, '.png')}.json`), 'utf8'),
    ).cells;
    expect(rest).toEqual({ width: 360, height: 360, precision: 'float32', cells: cells.length });
    expect(Object.keys(seconds)).toEqual(
      expect.arrayContaining(['decode', 'intensity', 'backbone', 'fpn', 'mask_head', 'paste', 'overlaps']),
    );
    const stages = Object.values<number>(seconds).reduce((sum, time) => sum + time);
    expect(stages).toBeGreaterThan(0);
    // Each value is rounded to a microsecond.
    expect(stages).toBeLessThan(total + 1e-4);
  });

  test('cuts images into tiles on request, and reports it', async () => {
    const out = join(folder, 'tiled');
    const flags = ['-m', testEnsemble, '-o', out, '-f', 'json', '--tiles', '256,64'];
    const { status, stdout } = await cellroute('segment', image.medium, ...flags);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\d+ cells in 4 tiles, \d+ of them on a seam\n/);
    const [file] = listing(out);
    const { seams } = JSON.parse(readFileSync(join(out, file!), 'utf8')) as { seams: { x: number[] } };
    expect(seams.x).toHaveLength(1);
  });

  test.each([
    ['an invalid tile size', ['segment', image.small, '-o', folder, '--tiles', 'small'], /tiles\.size/],
    ['three tile sizes', ['segment', image.small, '-o', folder, '--tiles', '128,64,32'], /SIZE,OVERLAP/],
    ['a score out of range', ['segment', image.small, '-o', folder, '--min-score', '2'], /from 0 to 1/],
    [
      'an unknown format',
      ['segment', image.small, '-o', folder, '-f', 'bmp'],
      /comma-separated list of json/,
    ],
    ['no output folder', ['segment', image.small], /--out/],
    ['a missing image', ['segment', 'nowhere.png', '-o', folder], /nowhere\.png.*\[FILE_UNREADABLE\]/],
    ['a missing ensemble', ['segment', image.small, '-o', folder, '-m', 'nowhere'], /\[FILE_UNREADABLE\]/],
  ])('%s is refused', async (_, args, message) => {
    const { status, stderr } = await cellroute(...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

test('tune writes an ensemble with the thresholds it prints', async () => {
  const out = join(folder, 'tuned');
  const flags = [
    '--cell-type-column',
    'modality',
    '--where',
    'split=val',
    '--model',
    testEnsemble,
    '--out',
    out,
    '--json',
  ];
  const { status, stdout } = await cellroute('tune', join(root, 'test/data/nuclei'), ...flags);
  expect(status).toBe(0);
  const { fluorescence } = JSON.parse(stdout).cellTypes;
  expect(fluorescence.after).toBeGreaterThan(fluorescence.before);
  const written = JSON.parse(readFileSync(join(out, 'ensemble.json'), 'utf8'));
  expect(written.segmenters.fluorescence.thresholds).toEqual(fluorescence.thresholds);

  const other = await cellroute(
    'tune',
    join(root, 'test/data/nuclei'),
    '--where',
    'split=none',
    '--out',
    out,
  );
  expect(other.status).toBe(1);
  expect(other.stderr).toMatch(/data.*INVALID_ARGUMENT/s);
});

test('classify prints the type as text and as JSON', async () => {
  expect((await cellroute('classify', image.small)).stdout).toMatch(
    /: fluorescence \(fluorescence [01]\.\d+, histology/,
  );
  const { stdout } = await cellroute(
    'classify',
    image.small,
    '--json',
    '-m',
    join(testEnsemble, 'classifier.safetensors'),
  );
  expect(JSON.parse(stdout)).toMatchObject({ cellType: 'fluorescence' });
});

test('a type that the model does not have is refused once, before any image', async () => {
  const out = join(folder, 'unknown-type');
  for (const command of ['segment', 'report', 'segment-slide']) {
    const flags = ['--cell-type', 'neurons', '--out', command === 'report' ? `${out}.html` : out];
    const { status, stderr } = await cellroute(command, image.small, image.medium, ...flags);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^cellroute: Expected one of 'fluorescence'.* for --cell-type but received "neurons"/,
    );
    expect(stderr).not.toContain('images failed');
  }
});

test('a size of cells that cannot be used is refused once, before any image', async () => {
  const flags = [image.small, image.medium, '--out', join(folder, 'size')];
  const both = await cellroute('segment', ...flags, '--scale', '2', '--diameter', '9');
  expect(both).toMatchObject({ status: 1, stdout: '' });
  expect(both.stderr).toMatch(
    /^error: option '--scale <factor>' cannot be used with option '--diameter <pixels>'/,
  );
  const unknown = await cellroute('segment', ...flags, '--pixel-size', '0.5');
  expect(unknown.status).toBe(1);
  expect(unknown.stderr).toMatch(/^cellroute: Option pixelSize needs a model .* \[INVALID_ARGUMENT\]\n$/);
});

test('tune reports a column or value that no image has', async () => {
  const flags = ['--where', 'split=none', '--out', join(folder, 'tuned-none')];
  const { status, stderr } = await cellroute('tune', join(root, 'test/data/nuclei'), ...flags);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^cellroute: No image of the data set has split=none \(--where\): its columns are .*split/,
  );
});

test('convert refuses another ending by the name that was given', async () => {
  const { status, stderr } = await cellroute(
    'convert',
    join(testEnsemble, 'classifier.safetensors'),
    join(folder, 'a.h5'),
  );
  expect(status).toBe(1);
  expect(stderr).toMatch(/for OUT but received ".*a\.h5"/);
});

test('convert and inspect work together', async () => {
  const torch = join(folder, 'router.pth');
  expect((await cellroute('convert', join(testEnsemble, 'classifier.safetensors'), torch)).status).toBe(0);
  const { tensors } = JSON.parse((await cellroute('inspect', torch, '--json')).stdout) as {
    tensors: { name: string }[];
  };
  expect(tensors.map(({ name }) => name)).toContain('fc.weight');
});

describe('export-python', () => {
  const scripts = join(folder, 'scripts');
  mkdirSync(scripts);
  const run = (...args: string[]) => cellroute('export-python', ...args);

  test('writes the script of a file and of a member of an ensemble, which find their weights', async () => {
    const ensemble = join(root, 'models', 'starter');
    const members: [string[], string, string][] = [
      [[ensemble, '--cell-type', 'histology'], 'segmenter-histology.safetensors', 'MIN_SCORE = 0.85 '],
      [
        ['--cell-type', 'histology', '--min-score', '0.2'],
        'segmenter-histology.safetensors',
        'MIN_SCORE = 0.2 ',
      ],
      [['--router'], 'classifier.safetensors', 'WIDTH, HEIGHT = 128, 128'],
      [['starter', '--router'], 'classifier.safetensors', 'WIDTH, HEIGHT = 128, 128'],
      [
        [join(ensemble, 'segmenter-histology.safetensors')],
        'segmenter-histology.safetensors',
        'MIN_SCORE = 0.5 ',
      ],
    ];
    for (const [i, [args, file, line]] of members.entries()) {
      const out = join(scripts, `script-${i}.py`);
      expect(await run(...args, '--out', out)).toMatchObject({ status: 0, stderr: '' });
      const script = readFileSync(out, 'utf8');
      expect(script).toContain(`python script-${i}.py image.png`);
      expect(script).toContain(line);
      const [, weights] = /^WEIGHTS = Path\(__file__\)\.parent \/ "(.*)"$/m.exec(script)!;
      expect(basename(weights!)).toBe(file);
      expect(existsSync(join(scripts, weights!))).toBe(true);
    }
  });

  test('overwrites no other file, and says what is missing', async () => {
    const out = join(scripts, 'own.py');
    writeFileSync(out, 'print()');
    expect(await run('--router', '--out', out)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/own\.py exists and was not written by cellroute.*FILE_UNWRITABLE/),
    });
    expect((await run('--out', join(scripts, 'none.py'))).stderr).toMatch(
      /fluorescence, histology, phase-contrast.*--router.*--cell-type.*INVALID_ARGUMENT/,
    );
    const file = join(root, 'models', 'starter', 'classifier.safetensors');
    expect((await run(file, '--router')).stderr).toMatch(/--router.*INVALID_ARGUMENT/);
    expect((await run(file, '--min-score', '0.5')).stderr).toMatch(/thresholds.*INVALID_ARGUMENT/);
  });
});

/** In a process of its own: a process can hold one LibTorch. */
const doctor = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'doctor', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};

test('doctor finds everything, and reports what is missing', () => {
  const good = doctor();
  expect(good).toMatchObject({ status: 0, stderr: '' });
  expect(good.stdout).toMatch(/LibTorch\s+2\.\d+\.\d+ in /);
  expect(good.stdout).toMatch(/Everything works\./);
  const bad = doctor('--libtorch', folder);
  expect(bad.status).toBe(1);
  expect(bad.stdout).toMatch(/LIBTORCH_NOT_FOUND/);
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('doctor and the build name the CUDA library that a LibTorch needs', () => {
  const { folder: libtorch } = JSON.parse(readFileSync(join(root, 'build/libtorch.json'), 'utf8')) as {
    folder: string;
  };
  const cuda = join(folder, 'cuda-build');
  mkdirSync(join(cuda, 'lib'), { recursive: true });
  const small = readFileSync(join(libtorch, 'lib/libtorch.so'), 'latin1');
  copyFileSync(join(libtorch, 'lib/libc10.so'), join(cuda, 'lib/libc10.so'));
  writeFileSync(join(cuda, 'lib/libtorch.so'), small, 'latin1');
  // Both names have 15 characters. No machine has this version.
  const needsCuda = small.replaceAll('libtorch_cpu.so', 'libcudart.so.99');
  writeFileSync(join(cuda, 'lib/libtorch_cpu.so'), needsCuda, 'latin1');

  const { status, stdout } = doctor('--libtorch', cuda);
  expect(status).toBe(1);
  expect(stdout).toMatch(/LIBTORCH_NOT_FOUND: .*libcudart\.so\.99/);
  expect(stdout).toMatch(/this LibTorch is a CUDA build/);

  const needed = (path: string) =>
    spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        'const { neededCuda } = await import(process.argv[1]); console.log(neededCuda(process.argv[2]));',
        join(root, 'scripts/libtorch.mjs'),
        path,
      ],
      { encoding: 'utf8' },
    ).stdout.trim();
  expect([needed(libtorch), needed(cuda)]).toEqual(['undefined', 'libcudart.so.99']);
});

test('help names every command', async () => {
  const { stdout } = await cellroute('--help');
  for (const command of ['segment', 'report', 'classify', 'explain', 'inspect', 'convert', 'doctor'])
    expect(stdout).toMatch(new RegExp(`^  ${command}`, 'm'));
});

async function resultsIn(folder: string, count: number, child: ChildProcess): Promise<void> {
  const results = () =>
    existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).length : 0;
  while (results() < count) {
    if (child.exitCode !== null)
      throw new Error(`ended with ${child.exitCode} before it wrote ${count} results`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  let stderr = '';
  child.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout!.resume();
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, stderr };
}
