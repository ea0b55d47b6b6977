// The model of the service, its life cycle, and the work of requests and jobs.
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

/** An image and the options to segment it with. */
export interface ImageRequest {
  upload: Upload;
  options: RoutedSegmentOptions;
}

/** A result and its request, whose image some formats draw. */
export interface Segmented {
  request: ImageRequest;
  result: RoutedSegmentation;
}

/** Callbacks of a service. */
export interface ServiceListener {
  /** Called after a stage of the work on an image, with its duration in seconds. */
  stage(stage: string, seconds: number): void;
  segmented(result: RoutedSegmentation): void;
  /** Called with errors that a request did not cause. */
  error(error: unknown): void;
}

/** An admitted request, which holds memory for an image. */
export interface Admission {
  /** Aborts when the client disconnects, at the time limit, and at the end of draining. */
  readonly signal: AbortSignal;
  leave(): void;
}

export class Service {
  readonly settings: ServiceSettings;
  /** Resolves when images are accepted; rejects if the model cannot be loaded. */
  readonly ready: Promise<void>;
  readonly jobs: JobStore<ImageRequest, Segmented> & Pick<MemoryJobStore<ImageRequest, Segmented>, 'counts'>;
  readonly #store: MemoryJobStore<ImageRequest, Segmented>;
  readonly #listener: ServiceListener;
  /** Aborts work in flight at the end of draining. */
  readonly #stop = new AbortController();
  readonly #admitted = new Set<Admission>();
  #heldBytes = 0;
  #state: ServiceState = 'starting';
  #ensemble: RoutedEnsemble | undefined;
  /** Moving average of the seconds per image. */
  #secondsPerImage = 1;
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

  /** Number of admitted requests. */
  get admitted(): number {
    return this.#admitted.size;
  }

  /** Seconds after which a refused request may be repeated: the estimated duration of all current work. */
  get retryAfter(): number {
    const { waiting, running } = this.jobs.counts;
    const ahead = this.#admitted.size + waiting + running;
    return Math.min(60, Math.max(1, Math.ceil(ahead * this.#secondsPerImage)));
  }

  /** @throws {HttpProblem} STARTING, DRAINING */
  get ensemble(): RoutedEnsemble {
    if (this.#ensemble && this.#state === 'ready') return this.#ensemble;
    if (this.#state === 'starting') {
      const reason = this.#failed
        ? 'The model cannot be loaded; the log has the reason.'
        : 'The model is being loaded.';
      throw new HttpProblem('STARTING', reason);
    }
    throw new HttpProblem('DRAINING', 'The service is shutting down and refuses new work.');
  }

  /**
   * Admits a request with an image.
   *
   * @param bytes size of the body, or its limit if unknown.
   * @throws {CellrouteError} BUSY; {HttpProblem} STARTING, DRAINING.
   */
  admit(bytes: number): Admission & { abort(reason: unknown): void } {
    void this.ensemble;
    const { requests, heldBytes, seconds } = this.settings.limits;
    if (this.#admitted.size >= requests) {
      throw busy(`${this.#admitted.size} requests are in flight; the limit is ${requests}`);
    }
    // A single request is admitted even if its image exceeds the limit for all together.
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
    // Concurrent calls wait for each other, so each accounts for its share of the time.
    const seconds = (performance.now() - started) / 1000 / Math.max(1, this.#admitted.size);
    this.#secondsPerImage += 0.1 * (seconds - this.#secondsPerImage);
    this.#listener.segmented(result);
    return { request, result };
  }

  /** Decodes the image of a request. */
  decode({ upload, options }: ImageRequest, signal: AbortSignal): Promise<RawImage> {
    return decodeImage(upload.bytes, { ...readOptionsIn(options), limits: this.imageLimits, signal });
  }

  /** A digest of an image and its options. Equal requests have equal digests. */
  digest({ upload, options }: ImageRequest): string {
    const sorted = JSON.stringify(
      Object.entries({ name: upload.name, ...options }).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    return createHash('sha256').update(sorted).update('\n').update(upload.bytes).digest('hex');
  }

  /** Takes no more work and waits for work in flight, which is stopped if it takes too long. */
  drain(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  /** Drains, and disposes an ensemble that the service has loaded. */
  async close(): Promise<void> {
    await this.drain();
    this.#state = 'closed';
    // A model that is still being loaded is disposed after it was loaded.
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

  /** The model for admitted work, which continues while the service drains. */
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

const WARM_UP_SIDE = 128;

/** Segments a small image with each network, because the first image takes longer. */
async function warmUp(ensemble: RoutedEnsemble, signal: AbortSignal): Promise<void> {
  const data = Uint8Array.from({ length: WARM_UP_SIDE ** 2 }, (_, i) => (i * 37 + (i >> 7) * 11) % 256);
  const image: RawImage = { data, width: WARM_UP_SIDE, height: WARM_UP_SIDE, channels: 1 };
  for (const cellType of ensemble.cellTypes) {
    if (ensemble.segmenters[cellType]) await ensemble.segment(image, { cellType, signal });
  }
}
