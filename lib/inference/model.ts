import { setMaxListeners } from 'node:events';
import { CellrouteError } from '../errors.js';
import type { ModelHandle, NativeCall } from '../native/contract.js';
import { type CallOptions, type ExecutionTarget, runJob } from '../native/job.js';
import { call, native } from '../native/load.js';

/**
 * A native object and the calls in flight on it. Disposing stops those calls, waits for them, and lets the memory go;
 * every later use is refused with DISPOSED.
 */
export class NativeObject<Handle> {
  readonly #name: string;
  readonly #release: (handle: Handle) => void;
  readonly #end = new AbortController();
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly place: ExecutionTarget;
  #handle: Handle | undefined;

  constructor(name: string, handle: Handle, place: ExecutionTarget, release: (handle: Handle) => void) {
    // All calls in flight listen to it, and Node would take more than ten for a leak.
    setMaxListeners(0, this.#end.signal);
    this.#name = name;
    this.place = place;
    this.#handle = handle;
    this.#release = release;
  }

  get disposed(): boolean {
    return this.#end.signal.aborted;
  }

  /** The handle, for a synchronous call. */
  get handle(): Handle {
    if (!this.#handle || this.disposed) throw this.#refusal();
    return this.#handle;
  }

  async run<T>(options: CallOptions, job: (handle: Handle, call: NativeCall) => Promise<T>): Promise<T> {
    const handle = this.handle;
    const work = runJob(options, (nativeCall) => job(handle, nativeCall), {
      end: this.#end.signal,
      place: this.place,
    });
    this.#inFlight.add(work);
    try {
      return await work;
    } finally {
      this.#inFlight.delete(work);
    }
  }

  async dispose(): Promise<void> {
    if (!this.disposed) this.#end.abort(this.#refusal());
    await Promise.allSettled(this.#inFlight);
    if (!this.#handle) return;
    const handle = this.#handle;
    this.#handle = undefined;
    call(() => this.#release(handle));
  }

  #refusal(): CellrouteError {
    return new CellrouteError('DISPOSED', `This ${this.#name} was disposed; load it again to use it.`);
  }
}

/** A network that answers, and never changes. */
export class LoadedModel extends NativeObject<ModelHandle> {
  constructor(name: string, handle: ModelHandle, place: ExecutionTarget) {
    super(name, handle, place, (model) => native().releaseModel(model));
  }
}
