import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { oldestNode } from '../support/old-node.js';
import { root } from '../support/sdk.js';

const node = oldestNode() ?? process.execPath;
const images = join(root, 'examples', 'images');
const small = join(images, 'fluorescence-small-crowded.png');
const folder = mkdtempSync(join(tmpdir(), 'cellroute-examples-'));

beforeAll(() => {
  // As in an application: the programs are beside a node_modules folder with the package.
  cpSync(join(root, 'examples'), folder, { recursive: true });
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'cellroute'), 'junction');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function runExample(name: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(node, [name, ...args], { cwd: folder, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

test('every program is in the list and starts with a comment', () => {
  const list = readFileSync(join(root, 'examples', 'README.md'), 'utf8');
  const programs = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.mjs'));
  expect(programs.length).toBeGreaterThanOrEqual(6);
  for (const name of programs) {
    expect(list).toContain(`[${name}](${name})`);
    expect(readFileSync(join(root, 'examples', name), 'utf8')).toMatch(/^\/\/ [A-Z]/);
  }
});

test('all programs are accepted by tsc --strict', () => {
  execFileSync('npx', ['tsc', '-p', join(root, 'examples', 'tsconfig.json')], { cwd: root, stdio: 'pipe' });
});

test('segment-folder writes a result per image', () => {
  mkdirSync(join(folder, 'input'));
  for (const name of ['fluorescence-small-crowded.png', 'histology.png']) {
    cpSync(join(images, name), join(folder, 'input', name));
  }
  const stdout = runExample('segment-folder.mjs', 'input', 'output');
  expect(stdout).toMatch(/fluorescence-small-crowded\.png: fluorescence, \d+ cells/);
  const { cells } = JSON.parse(readFileSync(join(folder, 'output', 'histology.json'), 'utf8')) as {
    cells: unknown[];
  };
  expect(cells.length).toBeGreaterThan(10);
});

test('segment-slide writes the cells of each row', async () => {
  const slide = join(folder, 'slide.tif');
  await sharp(join(images, 'fluorescence-large.png')).tiff({ tile: true, pyramid: true }).toFile(slide);
  const stdout = runExample('segment-slide.mjs', slide, 'slide.jsonl');
  const count = Number(/(\d+) cells\n$/.exec(stdout)?.[1]);
  expect(count).toBeGreaterThan(10);
  const lines = readFileSync(join(folder, 'slide.jsonl'), 'utf8').trim().split('\n');
  expect(lines).toHaveLength(count);
  expect(JSON.parse(lines[0]!)).toMatchObject({ polygons: [[expect.anything()]] });
});

test('worker-pool receives measurements from its workers', () => {
  const stdout = runExample('worker-pool.mjs', small, join(images, 'fluorescence-large.png'));
  expect(stdout.match(/: \d+ cells, \d+\.\d pixels on average/g)).toHaveLength(2);
});

test('custom-export draws a path per cell', () => {
  const stdout = runExample('custom-export.mjs', small, 'cells.svg');
  const svg = readFileSync(join(folder, 'cells.svg'), 'utf8');
  const paths = svg.match(/<path d="(M[\d L]+Z)+"><title>fluorescence, \d+ pixels<\/title>/g)!;
  expect(paths.length).toBeGreaterThan(10);
  expect(stdout).toContain(`${paths.length} cells`);
});

test('open-in-programs writes a file per program, with the same cells', () => {
  const stdout = runExample('open-in-programs.mjs', small, 'opened');
  const count = Number(/: (\d+) cells/.exec(stdout)![1]);
  expect(count).toBeGreaterThan(10);
  const stem = join(folder, 'opened', 'fluorescence-small-crowded');
  const { features } = JSON.parse(readFileSync(`${stem}.geojson`, 'utf8')) as { features: unknown[] };
  expect(features).toHaveLength(count);
  expect(readFileSync(`${stem}.measurements.csv`, 'utf8').trim().split('\n')).toHaveLength(count + 1);
  expect(existsSync(`${stem}.rois.zip`)).toBe(true);
  expect(existsSync(`${stem}.labels.tif`)).toBe(true);
});

test('fastify-server answers the routes of the service and its own', async () => {
  symlinkSync(join(root, 'node_modules', 'fastify'), join(folder, 'node_modules', 'fastify'), 'junction');
  const server = spawn(node, ['fastify-server.mjs', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  try {
    const url = `http://127.0.0.1:${await portOf(server)}`;
    while ((await fetch(`${url}/cells/readyz`)).status !== 200) {}
    const post = async (path: string) => {
      const options = { method: 'POST', body: readFileSync(small), headers: { 'content-type': 'image/png' } };
      return (await (await fetch(`${url}${path}`, options)).json()) as Record<string, unknown>;
    };
    const { cells } = (await post('/cells/v1/segment')) as { cells: unknown[] };
    expect(await post('/count')).toEqual({ cellType: 'fluorescence', cells: cells.length });
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
  } finally {
    server.kill('SIGKILL');
  }
});

test('fine-tune trains and compares', () => {
  const data = join(root, 'test', 'data', 'nuclei');
  const stdout = runExample('fine-tune.mjs', data, 'model', '2', 'fluorescence');
  expect(stdout).toMatch(/starts from fluorescence at scale \d/);
  expect(stdout).toMatch(/step 2 of 2: loss \d/);
  expect(stdout).toMatch(/before 0\.\d+, after 0\.\d+: (trained|scaled|start)\n\d+ cells in /);
});

/** The port that a server says it listens on. */
const portOf = (server: ChildProcess) =>
  new Promise<string>((resolve, reject) => {
    let text = '';
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    server.stdout!.on('data', (chunk: Buffer) => {
      text += chunk;
      const found = /listening on port (\d+)/.exec(text);
      if (found) resolve(found[1]!);
    });
  });

describe('http-server', () => {
  let server: ChildProcess;
  let url: string;
  beforeAll(async () => {
    server = spawn(node, ['http-server.mjs', '0'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    url = `http://127.0.0.1:${await portOf(server)}/segment`;
  });
  afterAll(() => void server.kill('SIGKILL'));

  test('segments a posted image', async () => {
    const response = await fetch(url, { method: 'POST', body: readFileSync(small) });
    expect(response.status).toBe(200);
    const { cells } = (await response.json()) as { cells: unknown[] };
    expect(cells.length).toBeGreaterThan(10);
  });

  test('refuses what is not an image, and other paths', async () => {
    const response = await fetch(url, { method: 'POST', body: 'text' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'IMAGE_UNREADABLE' });
    expect((await fetch(url)).status).toBe(404);
  });

  test('ends at SIGTERM', async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});
