/**
 * Aborts at SIGINT and SIGTERM; a second signal of either kind ends the process at once. Closed when the work has ended.
 *
 * ```ts
 * using stop = new StopSignals();
 * await work({ signal: stop.signal });
 * if (stop.received) stop.setExitCode();
 * ```
 */
export class StopSignals {
  readonly #controller = new AbortController();
  #received: NodeJS.Signals | undefined;

  constructor() {
    process.once('SIGINT', this.#stop);
    process.once('SIGTERM', this.#stop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get received(): boolean {
    return this.#received !== undefined;
  }

  /** Whether an error is the abort itself. */
  caused(error: unknown): boolean {
    return this.signal.aborted && error === this.signal.reason;
  }

  /** Sets the exit status that shells expect of a process that the signal stopped. */
  setExitCode(): void {
    process.exitCode = this.#received === 'SIGINT' ? 130 : 143;
  }

  /** The signals have their default effect again. */
  close(): void {
    process.off('SIGINT', this.#stop);
    process.off('SIGTERM', this.#stop);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  readonly #stop = (name: NodeJS.Signals): void => {
    this.close();
    this.#received = name;
    this.#controller.abort();
  };
}
