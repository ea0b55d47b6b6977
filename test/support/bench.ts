import { setImmediate as turn } from 'node:timers/promises';
import type { Progress } from '../../lib/native/job.js';

/** Work that a test ends by hand: one promise per input. */
export class Bench {
  readonly started: string[] = [];
  readonly stopped: string[] = [];
  readonly #ends = new Map<string, { resolve: (value: string) => void; reject: (error: unknown) => void }>();
  progress = new Map<string, (fraction: number) => void>();

  readonly run = (
    input: string,
    { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: Progress) => void },
  ): Promise<string> => {
    this.started.push(input);
    this.progress.set(input, (fraction) => onProgress({ stage: 'network', fraction }));
    return new Promise((resolve, reject) => {
      this.#ends.set(input, { resolve, reject });
      signal.addEventListener('abort', () => {
        this.stopped.push(input);
        reject(signal.reason);
      });
    });
  };

  async finish(input: string): Promise<void> {
    this.#ends.get(input)!.resolve(`${input}!`);
    await turn();
  }

  async fail(input: string, error: unknown): Promise<void> {
    this.#ends.get(input)!.reject(error);
    await turn();
  }
}
