import type { Command } from 'commander';
import { registerDatasetPreview } from './dataset-preview.js';
import { registerDatasetSummary } from './dataset-summary.js';

/** Adds `cellroute dataset …`. */
export function registerDataset(program: Command): void {
  const dataset = program.command('dataset').description('Inspect a data set before training');
  registerDatasetSummary(dataset);
  registerDatasetPreview(dataset);
}
