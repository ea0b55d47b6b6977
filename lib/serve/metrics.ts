import type { Registry } from 'prom-client';
import { queueState } from '../inference/queue.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { JOB_STATES } from '../jobs/types.js';
import { peer } from './packages.js';
import type { Service } from './service.js';

/** Upper bounds of histogram buckets in seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const CELLS = [0, 1, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000];

/** Metrics of a service, for Prometheus. */
export class ServiceMetrics {
  readonly registry: Registry;
  readonly #requests;
  readonly #stages;
  readonly #cells;
  readonly #rejections;

  /** @param service is called when metrics are read, not before. */
  constructor(registry: Registry | undefined, service: () => Service) {
    const { Registry: OwnRegistry, Histogram, Counter, Gauge, collectDefaultMetrics } = peer('prom-client');
    this.registry = registry ?? new OwnRegistry();
    const registers = [this.registry];
    // An application with its own registry also collects the metrics of the process.
    if (!registry) collectDefaultMetrics({ register: this.registry });
    this.#requests = new Histogram({
      name: 'cellroute_request_seconds',
      help: 'Seconds from the headers of a request to the end of its answer',
      labelNames: ['route', 'method', 'status'],
      buckets: SECONDS,
      registers,
    });
    this.#stages = new Histogram({
      name: 'cellroute_stage_seconds',
      help: 'Seconds of the stages of the work on an image; segment and classify include waiting in the queue',
      labelNames: ['stage'],
      buckets: SECONDS,
      registers,
    });
    this.#cells = new Histogram({
      name: 'cellroute_cells',
      help: 'Cells per segmented image, by the segmenter that was used',
      labelNames: ['segmenter'],
      buckets: CELLS,
      registers,
    });
    this.#rejections = new Counter({
      name: 'cellroute_rejections_total',
      help: 'Answers with an error, by code',
      labelNames: ['code'],
      registers,
    });
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge('cellroute_ready', '1 if the service accepts images, 0 while starting and draining', () =>
      Number(service().state === 'ready'),
    );
    gauge(
      'cellroute_requests_in_flight',
      'Requests that send or wait for an image',
      () => service().admitted,
    );
    // The addon is loaded with the model.
    const queue = (key: 'calls' | 'bytes') => (service().state === 'starting' ? 0 : queueState()[key]);
    gauge('cellroute_queue_calls', 'Calls of this process that hold a decoded image', () => queue('calls'));
    gauge('cellroute_queue_bytes', 'Bytes of the decoded images that calls hold', () => queue('bytes'));
    new Gauge({
      name: 'cellroute_jobs',
      help: 'Jobs that are known, by state',
      labelNames: ['state'],
      registers,
      collect() {
        const { counts } = service().jobs;
        for (const state of JOB_STATES) this.set({ state }, counts[state]);
      },
    });
  }

  request(route: string, method: string, status: number, seconds: number): void {
    this.#requests.observe({ route, method, status: String(status) }, seconds);
  }

  stage(stage: string, seconds: number): void {
    this.#stages.observe({ stage }, seconds);
  }

  segmented({ segmenter, cells }: RoutedSegmentation): void {
    this.#cells.observe({ segmenter }, cells.length);
  }

  rejected(code: string): void {
    this.#rejections.inc({ code });
  }
}
