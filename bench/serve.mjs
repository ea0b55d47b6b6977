// The HTTP service beside a bare loop over the SDK: throughput on a small image at 1 to 64 connections, and the memory of
// the service over many requests. Options: --image FILE (default: a 256 × 256 image of test/data), --images N per turn
// (default 64, at least two per connection), --rounds N (default 3, 0 omits throughput), --connections LIST (default 1,4,16,64),
// --requests N for memory (default 10000, 0 omits it), --model DIR (default: test/ensemble), --python PROGRAM (adds peers/fastapi_server.py: FastAPI and torchvision with the same
// network; the image must be square). Each side is a process that stays. The sides take turns with the same number of images, and
// a row is the median of the rounds' ratios.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import sharp from 'sharp';
import { peer } from './side.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const small = join(
  root,
  'test/data/nuclei/images/00071198d059ba7f5914a526d124d28e6d010c92466da21d4a04cd5413362552.png',
);
const { values: options } = parseArgs({
  options: {
    image: { type: 'string', default: small },
    images: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '1,4,16,64' },
    requests: { type: 'string', default: '10000' },
    model: { type: 'string', default: join(root, 'test', 'ensemble') },
    python: { type: 'string' },
    loop: { type: 'boolean', default: false },
  },
});
const { model } = options;
const image = readFileSync(options.image);
const CELL_TYPE = 'fluorescence';

/** The other side: a process that answers each line of JSON with the throughput of its loop. */
async function loop() {
  const { RoutedEnsemble, resultJson } = await import('../dist/index.mjs');
  const ensemble = await RoutedEnsemble.load(model);
  const once = async () => resultJson(await ensemble.segment(image, { cellType: CELL_TYPE })).length;
  await once();
  console.log('Ready');
  for await (const line of createInterface(process.stdin)) {
    const { calls, amount } = JSON.parse(line);
    const started = performance.now();
    let left = amount;
    await Promise.all(
      Array.from({ length: calls }, async () => {
        while (left-- > 0) await once();
      }),
    );
    console.log(JSON.stringify(amount / ((performance.now() - started) / 1000)));
  }
  await ensemble.dispose();
}

/** A process whose lines are read one at a time. */
function start(args, program = process.execPath) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, next: async () => (await lines.next()).value };
}

const listening = async ({ next }) => /^Listening on (\S+)$/.exec(await next())[1];

/** The server that a Python user would write. */
async function startPython() {
  if (!options.python) return undefined;
  const { width, height } = await sharp(image).metadata();
  if (width !== height) throw new Error(`--python needs a square image, got ${width} x ${height} pixels`);
  const weights = join(model, `${CELL_TYPE}.safetensors`);
  const server = start(
    [peer('fastapi_server.py'), '--weights', weights, '--side', String(width)],
    options.python,
  );
  return { ...server, url: `${await listening(server)}/segment` };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Requests per second, and the responses other than 200. */
async function drive(url, connections, extra) {
  const started = performance.now();
  const result = await autocannon({
    url,
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: image,
    connections,
    timeout: 120,
    ...extra,
  });
  return {
    // Its own duration is rounded up to its next sample.
    rate: result['2xx'] / ((performance.now() - started) / 1000),
    answered: result['2xx'],
    errors: result.errors + result.timeouts + result.non2xx,
    p50: result.latency.p50,
    p99: result.latency.p99,
  };
}

async function residentMb(address) {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)[1]) / 2 ** 20;
}

async function main() {
  const server = start([join(root, 'dist/cli/main.js'), 'serve', '--port', '0', '--model', model]);
  const address = await listening(server);
  await server.next();
  const url = `${address}/v1/segment?cellType=${CELL_TYPE}`;
  await drive(url, 1, { amount: 4 });
  if (Number(options.rounds) > 0) await compareThroughput(url);
  if (Number(options.requests) > 0) await watchMemory(url, address);
  server.child.kill('SIGTERM');
  const code = await new Promise((resolve) => server.child.once('exit', resolve));
  console.log(`the service ended with status ${code}; load average ${loadavg()[0].toFixed(2)} after`);
}

/** The service beside the loop, and beside the server of --python. */
async function compareThroughput(url) {
  const sdk = start([fileURLToPath(import.meta.url), '--loop', '--image', options.image, '--model', model]);
  await sdk.next();
  const python = await startPython();
  if (python) await drive(python.url, 1, { amount: 4 });

  console.log(`load average ${loadavg()[0].toFixed(2)} before; ${options.rounds} rounds`);
  const peerTitle = python ? ' FastAPI, images/s | service / FastAPI |' : '';
  console.log(
    `| connections | SDK loop, images/s | service, images/s | ratio | p50, p99 in ms | errors |${peerTitle}`,
  );
  console.log(`| --- | --- | --- | --- | --- | --- |${python ? ' --- | --- |' : ''}`);
  for (const connections of options.connections.split(',').map(Number)) {
    const amount = Math.max(Number(options.images), 2 * connections);
    const rounds = [];
    for (let i = 0; i < Number(options.rounds); i++) {
      sdk.child.stdin.write(`${JSON.stringify({ calls: connections, amount })}\n`);
      const own = JSON.parse(await sdk.next());
      const service = await drive(url, connections, { amount });
      const other = python ? await drive(python.url, connections, { amount }) : undefined;
      rounds.push({ own, other, ...service });
    }
    const of = (pick) => median(rounds.map(pick));
    const errors = rounds.reduce((sum, round) => sum + round.errors + (round.other?.errors ?? 0), 0);
    const beside = python
      ? ` ${of(({ other }) => other.rate).toFixed(2)} | ${of(({ rate, other }) => rate / other.rate).toFixed(2)} |`
      : '';
    console.log(
      `| ${connections} | ${of(({ own }) => own).toFixed(2)} | ${of(({ rate }) => rate).toFixed(2)} | ${of(({ own, rate }) => rate / own).toFixed(3)} | ${of(({ p50 }) => p50)}, ${of(({ p99 }) => p99)} | ${errors} |${beside}`,
    );
  }
  sdk.child.stdin.end();
  python?.child.kill();
}

/** Resident memory of the service after each tenth of the requests. */
async function watchMemory(url, address) {
  const total = Number(options.requests);
  const parts = 10;
  console.log('| requests answered | resident MB of the service |');
  console.log('| --- | --- |');
  console.log(`| 4 | ${(await residentMb(address)).toFixed(0)} |`);
  let answered = 0;
  let errors = 0;
  for (let i = 0; i < parts; i++) {
    const part = await drive(url, 4, { amount: Math.ceil(total / parts) });
    answered += part.answered;
    errors += part.errors;
    console.log(`| ${answered} | ${(await residentMb(address)).toFixed(0)} |`);
  }
  console.log(`errors: ${errors}`);
}

await (options.loop ? loop() : main());
