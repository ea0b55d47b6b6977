/**
 * Weights & Biases' package in a thread of its own. It throws out of message handlers, waits for servers without an
 * end, and leaves the process at Ctrl-C: none of that may reach a run.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWandb, ToWandb, WandbStart } from './wandb.js';

/** As much of @wandb/sdk as is used; its own types would bind ours to it. */
interface Wandb {
  init(options: object): Promise<{ url(): string }>;
  log(data: Record<string, number>, step: number): void;
  finish(code: number): Promise<void>;
}

const port = parentPort!;
const tell = (message: FromWandb) => port.postMessage(message);

async function main({ module, ...start }: WandbStart): Promise<void> {
  const { wandb } = (await import(module)) as { wandb: Wandb };
  const run = await wandb.init(start);
  tell({ kind: 'ready', url: run.url() });
  port.on('message', (message: ToWandb) => {
    if (message.kind === 'row') {
      wandb.log(message.data, message.step);
      return;
    }
    wandb.finish(0).then(
      () => tell({ kind: 'finished' }),
      (error: Error) => tell({ kind: 'failed', message: error.message }),
    );
  });
}

main(workerData as WandbStart).catch((error: Error) => tell({ kind: 'failed', message: error.message }));
