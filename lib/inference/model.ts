import { CellrouteError } from '../errors.js';
import type { ModelHandle, NativeCall } from '../native/contract.js';
import {
  type Call,
  type CallOptions,
  type ExecutionTarget,
  type JobOptions,
  withCall,
} from '../native/job.js';
import { call, native } from '../native/load.js';
import type { DType } from '../weights/table.js';

/**
 * A native object and the calls in progress on it. Disposing cancels those calls, waits for their jobs and frees the
 * memory. Later uses are refused with DISPOSED.
 */
export class NativeObject<Handle> {
  readonly #name: string;
  readonly #release: (handle: Handle) => void;
  readonly #end = new AbortController();
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly place: ExecutionTarget;
  #handle: Handle | undefined;

  constructor(name: string, handle: Handle, place: ExecutionTarget, release: (handle: Handle) => void) {
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

  /** Runs a job as a separate call. */
  async run<T>(options: CallOptions, job: (handle: Handle, call: NativeCall) => Promise<T>): Promise<T> {
    void this.handle;
    return withCall(options, (own) => this.runIn(own, job));
  }

  /** Runs a job as part of a call. */
  async runIn<T>(
    own: Call,
    job: (handle: Handle, call: NativeCall) => Promise<T>,
    { progress = true }: Pick<JobOptions, 'progress'> = {},
  ): Promise<T> {
    this.join(own);
    const handle = this.handle;
    const work = own.run((nativeCall) => job(handle, nativeCall), { place: this.place, progress });
    this.#inFlight.add(work);
    try {
      return await work;
    } finally {
      this.#inFlight.delete(work);
    }
  }

  /** Cancels the call when this object is disposed; throws DISPOSED if it already was. */
  join(own: Call): void {
    void this.handle;
    own.stopOn(this.#end.signal);
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

/** A network for inference, which never changes. */
export class LoadedModel extends NativeObject<ModelHandle> {
  /** Number format of each tensor in the file that the network was loaded from; empty for a network in training. */
  readonly fileTypes: ReadonlyMap<string, DType>;

  constructor(
    name: string,
    handle: ModelHandle,
    place: ExecutionTarget,
    fileTypes: ReadonlyMap<string, DType> = new Map(),
  ) {
    super(name, handle, place, (model) => native().releaseModel(model));
    this.fileTypes = fileTypes;
  }
}
