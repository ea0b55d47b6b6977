// cellroute/fastify: segmentation as an HTTP service. Fastify and its plugins are optional peer dependencies.
export { MemoryJobStore, type MemoryJobStoreOptions } from './jobs/memory.js';
export type {
  Job,
  JobFailure,
  JobState,
  JobStore,
  Submission,
  SubmitOptions,
} from './jobs/types.js';
export { type CellroutePluginOptions, type CellrouteService, cellroutePlugin } from './serve/plugin.js';
export { type RunningServer, type ServerOptions, startServer } from './serve/server.js';
export type { ServiceLimits, ServiceOptions } from './serve/settings.js';
