// What lies behind the routes: the ensemble from its loading to its end, and the work of requests and jobs.
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { onAbort } from '../abort.js';
import { CellrouteError } from '../errors.js';
import { decodeImage } from '../image/decode.js';
import { readOptionsIn } from '../image/select.js';
import type { ImageReadOptions, RawImage } from '../image/types.js';
import type { Classification } from '../inference/classifier.js';
import { RoutedEnsemble, type RoutedSegmentOptions } from '../inference/ensemble.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { MemoryJobStore } from '../jobs/memory.js';
import type { JobStore } from '../jobs/types.js';
import type { CallOptions } from '../native/job.js';
import { HttpProblem } from './problem.js';
import type { ServiceSettings } from './settings.js';
import type { Upload } from './upload.js';

export type ServiceState = 'starting' | 'ready' | 'draining' | 'closed';

/** An image and what is asked of it. */
export interface ImageRequest {
  upload: Upload;
  options: RoutedSegmentOptions;
}

/** A result with the image that it is of, which some formats draw. */
export interface Segmented {
  request: ImageRequest;
  result: RoutedSegmentation;
}

/** What a service reports of its work. */
export interface ServiceListener {
  /** Seconds that a stage of the work on an image took. */
  stage(stage: string, seconds: number): void;
  segmented(result: RoutedSegmentation): void;
  /** An error that is the service's own. */
  error(error: unknown): void;
}

/** The place of a request that holds an image. */
export interface Admission {
  /** Aborts when the client disconnects, at the end of the time, and at the end of draining. */
  readonly signal: AbortSignal;
  leave(): void;
}

export class Service {
  readonly settings: ServiceSettings;
  /** Resolves when requests are answered; rejects where the model cannot be loaded. */
  readonly ready: Promise<void>;
  readonly jobs: JobStore<ImageRequest, Segmented> & Pick<MemoryJobStore<ImageRequest, Segmented>, 'counts'>;
  readonly #store: MemoryJobStore<ImageRequest, Segmented>;
  readonly #listener: ServiceListener;
  /** Aborts what is in flight when the time to drain is over. */
  readonly #stop = new AbortController();
  readonly #admitted = new Set<Admission>();
  #heldBytes = 0;
  #state: ServiceState = 'starting';
  #ensemble: RoutedEnsemble | undefined;
  /** Seconds that an image takes: a moving average. */
  #usual = 1;
  #wakeIdle = () => {};
  /** Whether the model could not be loaded. */
  #failed = false;
  #closing: Promise<void> | undefined;

  constructor(settings: ServiceSettings, listener: ServiceListener) {
    this.settings = settings;
    this.#listener = listener;
    this.#store = new MemoryJobStore<ImageRequest, Segmented>({
      run: (request, call) => this.#runJob(request, call),
      bytesOf: ({ upload }) => upload.bytes.length,
      maxWaiting: settings.limits.jobs,
      maxBytes: settings.limits.heldBytes,
      onError: (error) => listener.error(error),
    });
    this.jobs = this.#store;
    this.ready = this.#start();
    this.ready.catch((error: unknown) => {
      this.#failed = true;
      if (this.#state === 'starting') listener.error(error);
    });
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** Requests that hold a place. */
  get admitted(): number {
    return this.#admitted.size;
  }

  /** Seconds after which a refused request may come again: when those before it are probably done. */
  get retryAfter(): number {
    const { waiting, running } = this.jobs.counts;
    const ahead = this.#admitted.size + waiting + running;
    return Math.min(60, Math.max(1, Math.ceil(ahead * this.#usual)));
  }

  /** @throws {HttpProblem} STARTING, DRAINING */
  get ensemble(): RoutedEnsemble {
    if (this.#ensemble && this.#state === 'ready') return this.#ensemble;
    if (this.#state === 'starting') {
      const reason = this.#failed
        ? 'The model cannot be loaded; the log says why.'
        : 'The model is being loaded.';
      throw new HttpProblem('STARTING', reason);
    }
    throw new HttpProblem('DRAINING', 'The service shuts down and takes no more work.');
  }

  /**
   * Admits a request that brings an image.
   *
   * @param bytes that its body has, or may have.
   * @throws {CellrouteError} BUSY; {HttpProblem} STARTING, DRAINING.
   */
  admit(bytes: number): Admission & { abort(reason: unknown): void } {
    void this.ensemble;
    const { requests, heldBytes, seconds } = this.settings.limits;
    if (this.#admitted.size >= requests) {
      throw busy(`${this.#admitted.size} requests are in flight; the limit is ${requests}`);
    }
    // One that is larger than all are allowed together is admitted alone.
    if (this.#admitted.size > 0 && this.#heldBytes + bytes > heldBytes) {
      throw busy(`Requests in flight hold ${this.#heldBytes} bytes of images; the limit is ${heldBytes}`);
    }
    this.#heldBytes += bytes;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(timeout('request', seconds)), seconds * 1000);
    const removeStop = onAbort(this.#stop.signal, () => controller.abort(this.#stop.signal.reason));
    const admission = {
      signal: controller.signal,
      abort: (reason: unknown) => controller.abort(reason),
      leave: () => {
        if (!this.#admitted.delete(admission)) return;
        clearTimeout(timer);
        removeStop();
        this.#heldBytes -= bytes;
        if (this.#admitted.size === 0) this.#wakeIdle();
      },
    };
    this.#admitted.add(admission);
    return admission;
  }

  /** Refuses options before the image is read. */
  check(options: RoutedSegmentOptions): void {
    this.ensemble.checkOptions(options);
  }

  async classify({ bytes, name }: Upload, options: ImageReadOptions, signal: AbortSignal) {
    const found: Classification = await this.timed('classify', () =>
      this.#loaded.classifier.classify(bytes, {
        ...options,
        limits: this.imageLimits,
        whenBusy: 'reject',
        signal,
      }),
    );
    return { ...(name !== undefined && { name }), ...found };
  }

  async segment(request: ImageRequest, call: CallOptions, whenBusy: 'wait' | 'reject'): Promise<Segmented> {
    const { upload, options } = request;
    const started = performance.now();
    const result = await this.timed('segment', () =>
      this.#loaded.segment(upload.bytes, {
        ...(upload.name !== undefined && { name: upload.name }),
        ...options,
        ...call,
        limits: this.imageLimits,
        whenBusy,
      }),
    );
    // Calls that wait for each other take as long as all of them: what one adds is its share.
    const seconds = (performance.now() - started) / 1000 / Math.max(1, this.#admitted.size);
    this.#usual += 0.1 * (seconds - this.#usual);
    this.#listener.segmented(result);
    return { request, result };
  }

  /** The pixels that a result is of. */
  decode({ upload, options }: ImageRequest, signal: AbortSignal): Promise<RawImage> {
    return decodeImage(upload.bytes, { ...readOptionsIn(options), limits: this.imageLimits, signal });
  }

  /** A digest of an image and its options: of equal requests it is equal. */
  digest({ upload, options }: ImageRequest): string {
    const sorted = JSON.stringify(
      Object.entries({ name: upload.name, ...options }).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    return createHash('sha256').update(sorted).update('\n').update(upload.bytes).digest('hex');
  }

  /** Takes no more work and waits for what is in flight; what is not done in time is stopped. */
  drain(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  /** Drains, and disposes an ensemble that the service has loaded. */
  async close(): Promise<void> {
    await this.drain();
    this.#state = 'closed';
    // A model that is still being loaded is disposed when it is there.
    await this.ready.catch(() => {});
    if (!this.settings.ensemble) await this.#ensemble?.dispose();
    this.#ensemble = undefined;
  }

  /** Measures a stage of the work on an image. */
  async timed<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#listener.stage(stage, (performance.now() - started) / 1000);
    }
  }

  async #drain(): Promise<void> {
    this.#state = 'draining';
    const idle = Promise.all([this.#noRequests(), this.#store.idle()]);
    const late = new AbortController();
    await Promise.race([
      idle,
      delay(this.settings.drainSeconds * 1000, undefined, { signal: late.signal }).catch(() => {}),
    ]);
    late.abort();
    this.#stop.abort(new HttpProblem('DRAINING', 'The service has shut down before the work was done.'));
    await this.#store.close();
    await this.#noRequests();
  }

  async #noRequests(): Promise<void> {
    while (this.#admitted.size > 0) {
      await new Promise<void>((resolve) => {
        const before = this.#wakeIdle;
        this.#wakeIdle = () => {
          before();
          resolve();
        };
      });
    }
  }

  async #start(): Promise<void> {
    const { ensemble, load } = this.settings;
    const { folder, ...options } = load;
    const loaded = ensemble ?? (await RoutedEnsemble.load(folder, { ...options, signal: this.#stop.signal }));
    this.#ensemble = loaded;
    await warmUp(loaded, this.#stop.signal);
    if (this.#state === 'starting') this.#state = 'ready';
  }

  async #runJob(request: ImageRequest, { signal, onProgress }: CallOptions): Promise<Segmented> {
    const { seconds } = this.settings.limits;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(timeout('job', seconds)), seconds * 1000);
    const own = AbortSignal.any([...(signal ? [signal] : []), late.signal]);
    try {
      return await this.segment(request, { signal: own, ...(onProgress && { onProgress }) }, 'wait');
    } finally {
      clearTimeout(timer);
    }
  }

  /** For work that was admitted: it is done while the service drains, too. */
  get #loaded(): RoutedEnsemble {
    return this.#ensemble ?? this.ensemble;
  }

  /** Limits on images, for every decoder. */
  get imageLimits() {
    return { pixels: this.settings.limits.pixels };
  }
}

const busy = (reason: string) => new CellrouteError('BUSY', `${reason}. Call again later.`);

const timeout = (what: string, seconds: number) =>
  new CellrouteError('TIMEOUT', `The ${what} took more than ${seconds} seconds, which is its limit.`);

const WARM_SIDE = 128;

/** The first image of a network takes longer: memory is taken and kernels are chosen. */
async function warmUp(ensemble: RoutedEnsemble, signal: AbortSignal): Promise<void> {
  const data = Uint8Array.from({ length: WARM_SIDE ** 2 }, (_, i) => (i * 37 + (i >> 7) * 11) % 256);
  const image: RawImage = { data, width: WARM_SIDE, height: WARM_SIDE, channels: 1 };
  for (const cellType of ensemble.cellTypes) {
    if (ensemble.segmenters[cellType]) await ensemble.segment(image, { cellType, signal });
  }
}
