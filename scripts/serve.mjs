// Runs schemathesis against a live `cellroute serve`: requests made from its OpenAPI document, valid and invalid ones.
//   node scripts/serve.mjs [EXAMPLES]     EXAMPLES per route and phase; default 12, about a minute
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheFolder, python } from './libtorch.mjs';
import { finish, noCounts } from './report.mjs';
import { childEnvironment, root, run } from './run.mjs';

const VERSION = '4.32.5';
const examples = Number(process.argv[2] ?? 12);

/** `unsupported_method` is excluded: Node.js answers methods that its parser does not know, such as QUERY, with 400. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'allow_header_conformance',
  'negative_data_rejection',
  'ignored_auth',
];

/** schemathesis in a separate virtual environment, made once; undefined where there is no Python that can make one. */
function schemathesis() {
  const interpreter = python();
  if (!interpreter) return undefined;
  const folder = join(cacheFolder(), `schemathesis-${VERSION}`);
  const program = (inside) =>
    join(
      inside,
      ...(process.platform === 'win32' ? ['Scripts', 'schemathesis.exe'] : ['bin', 'schemathesis']),
    );
  if (existsSync(program(folder))) return program(folder);
  console.error(`cellroute: fetching schemathesis ${VERSION}`);
  mkdirSync(cacheFolder(), { recursive: true });
  // Scripts of a virtual environment name its folder, so it is made where it stays.
  rmSync(folder, { recursive: true, force: true });
  const made = run(interpreter, ['-m', 'venv', folder], { capture: true });
  const pip = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin', 'pip');
  const installed =
    made.status === 0
      ? run(pip, ['install', '--quiet', `schemathesis==${VERSION}`], { capture: true })
      : made;
  if (installed.status === 0) return program(folder);
  rmSync(folder, { recursive: true, force: true });
  console.error(installed.output.trim().split('\n').slice(-3).join('\n'));
  return undefined;
}

/** A server on a free port, ready. */
async function startServer() {
  const main = join(root, 'dist', 'cli', 'main.js');
  const model = join(root, 'test', 'ensemble');
  const server = spawn(process.execPath, [main, 'serve', '--port', '0', '--model', model, '--log'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment({ CELLROUTE_SERVE_TOKEN: TOKEN }),
  });
  let log = '';
  server.stderr.setEncoding('utf8').on('data', (text) => {
    log += text;
  });
  let url;
  for await (const line of createInterface(server.stdout)) {
    url = /^Listening on (\S+)$/.exec(line)?.[1] ?? url;
    if (line === 'Ready') break;
  }
  if (!url) throw new Error(`the server did not start:\n${log}`);
  // Lines of level 50 are errors that the service is to blame for.
  return { server, url, errors: () => log.split('\n').filter((line) => line.includes('"level":50')) };
}

const TOKEN = 'a-token-for-schemathesis';

const counts = noCounts();
const program = schemathesis();
if (!program) {
  console.log('skipped: schemathesis could not be installed (needs Python 3 with venv, and PyPI)');
  counts.skipped++;
} else {
  const { server, url, errors } = await startServer();
  const folder = mkdtempSync(join(tmpdir(), 'cellroute-schemathesis-'));
  const { status } = run(
    program,
    [
      'run',
      `${url}/openapi.json`,
      '--checks',
      CHECKS.join(','),
      '--max-examples',
      String(examples),
      '--header',
      `Authorization: Bearer ${TOKEN}`,
      '--seed',
      '28',
      '--generation-database',
      'none',
      '--continue-on-failure',
      '--no-color',
    ],
    // schemathesis writes its own folders here.
    { cwd: folder, env: { SCHEMATHESIS_HOOKS: join(root, 'test', 'serve', 'schemathesis_hooks.py') } },
  );
  rmSync(folder, { recursive: true, force: true });
  const alive = server.exitCode === null;
  const found = errors();
  server.kill('SIGTERM');
  const code = await new Promise((resolve) => server.once('exit', resolve));
  const checks = [
    ['schemathesis finds nothing', status === 0],
    ['the server answers until the end', alive],
    [
      `the server logs no internal error${found.length > 0 ? `:\n${found.slice(0, 3).join('\n')}` : ''}`,
      found.length === 0,
    ],
    ['the server ends with status 0', code === 0],
  ];
  for (const [name, passed] of checks) {
    console.log(`${passed ? 'ok    ' : 'FAILED'} ${name}`);
    counts[passed ? 'passed' : 'failed']++;
  }
}
finish(counts);
