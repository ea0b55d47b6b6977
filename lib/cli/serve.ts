import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { CellrouteError } from '../errors.js';
import { unreadable } from '../file-errors.js';
import { startServer } from '../serve/server.js';
import { LIMIT_NAMES, limitRange, type ServiceLimits } from '../serve/settings.js';
import { modelOption, numberIn, type PrecisionFlag, withPrecision } from './options.js';

interface Flags extends PrecisionFlag {
  model?: string | undefined;
  port: number;
  host: string;
  tokenFile?: string | undefined;
  allowAnonymous?: boolean | undefined;
  limits?: ServiceLimits | undefined;
  drain: number;
  page: boolean;
  log?: boolean | undefined;
}

/** Adds `cellroute serve`. */
export function registerServe(program: Command): void {
  const command = program
    .command('serve')
    .description('Serve segmentation over HTTP')
    .addOption(modelOption())
    .option('-p, --port <number>', 'port; 0 takes a free one', numberIn(0, 65_535, { integer: true }), 8080)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option(
      '--token-file <file>',
      'file with the bearer token that requests need (default: CELLROUTE_SERVE_TOKEN, if set)',
    )
    .option('--allow-anonymous', 'serve other machines without a token')
    .option(
      '--limits <list>',
      `limits such as bytes=2e7,pixels=4e6,seconds=30: ${LIMIT_NAMES.map((name) => `${name} (${limitRange(name)[2]})`).join(', ')}`,
      limitsOf,
    )
    .option('--drain <seconds>', 'time for work in flight after SIGTERM or SIGINT', numberIn(0, 3600), 30)
    .option('--no-page', 'without the page at /')
    .option('--log', 'log requests and errors on stderr, as lines of JSON');
  withPrecision(command)
    .addHelpText(
      'after',
      `
Example:
  cellroute serve --model my-ensemble --port 8080
  curl -F image=@nuclei.png 'http://127.0.0.1:8080/v1/segment?minScore=0.6'`,
    )
    .action(serve);
}

function limitsOf(text: string): ServiceLimits {
  return Object.fromEntries(
    text.split(',').map((part) => {
      const [key = '', value = ''] = part.split('=').map((word) => word.trim());
      const name = LIMIT_NAMES.find((known) => known === key);
      if (!name) throw new InvalidArgumentError(`Expected ${LIMIT_NAMES.join(', ')} with numbers.`);
      const [min, max] = limitRange(name);
      return [name, numberIn(min, max)(value)] as const;
    }),
  );
}

async function serve(flags: Flags): Promise<void> {
  const { model, port, host, limits, drain, page, precision, device } = flags;
  const token = await tokenOf(flags.tokenFile);
  const server = await startServer({
    port,
    host,
    precision,
    device,
    page,
    drainSeconds: drain,
    allowAnonymous: flags.allowAnonymous,
    log: flags.log,
    model,
    limits,
    token,
  });
  console.log(`Listening on ${server.url}`);
  let stop = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  // A second signal ends the process at once.
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    // A model that cannot be loaded ends the server; a signal while it is loaded, too.
    await Promise.race([server.service.ready.then(() => console.log('Ready')), stopped]);
    await stopped;
    console.log('Stopping: work in flight is finished');
  } finally {
    await server.close();
  }
}

/** The token is not an argument, because other users of the machine can read arguments. */
async function tokenOf(file: string | undefined): Promise<string | undefined> {
  const own = process.env.CELLROUTE_SERVE_TOKEN;
  if (file === undefined) return own === '' ? undefined : own;
  const token = (await readFile(file, 'utf8').catch(unreadable(file))).trim();
  if (token !== '') return token;
  throw new CellrouteError('INVALID_ARGUMENT', `Expected a token in ${file}, which is empty (--token-file)`, {
    option: '--token-file',
    file,
  });
}
