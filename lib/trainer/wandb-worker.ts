/**
 * Runs the Weights & Biases package in a worker thread. The package throws from message handlers, waits for servers
 * without a timeout and ends the process at Ctrl-C; none of that may affect a run.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWandb, ToWandb, WandbStart } from './wandb.js';

/** The used part of @wandb/sdk, declared here so that our types do not depend on an optional package. */
interface Wandb {
  init(options: object): Promise<{ url(): string }>;
  log(data: Record<string, number>, step: number): void;
  finish(code: number): Promise<void>;
}

const port = parentPort!;
const send = (message: FromWandb) => port.postMessage(message);

async function main({ module, ...start }: WandbStart): Promise<void> {
  const { wandb } = (await import(module)) as { wandb: Wandb };
  const run = await wandb.init(start);
  send({ kind: 'ready', url: run.url() });
  port.on('message', (message: ToWandb) => {
    if (message.kind === 'row') {
      wandb.log(message.data, message.step);
      return;
    }
    wandb.finish(0).then(
      () => send({ kind: 'finished' }),
      (error: Error) => send({ kind: 'failed', message: error.message }),
    );
  });
}

main(workerData as WandbStart).catch((error: Error) => send({ kind: 'failed', message: error.message }));
