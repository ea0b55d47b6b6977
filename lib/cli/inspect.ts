import type { Command } from 'commander';
import { findWeights } from '../inference/model-path.js';
import { tensorBytes } from '../weights/layout.js';
import { withoutWrappers } from '../weights/names.js';
import { inspectWeights } from '../weights/open.js';
import type { WeightsFile } from '../weights/table.js';
import { columns, counted } from './columns.js';

/** Adds `cellroute inspect FILE`. */
export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .description(
      'List the contents of a weights file and the pickle calls that were refused; nothing is executed',
    )
    .argument(
      '<file>',
      'torch checkpoint (.pth, .pt, .bin), safetensors file or fastai export (.pkl), or the folder of a run',
    )
    .option('--json', 'print JSON')
    .action(async (file: string, options: { json?: boolean }) => {
      const weights = await inspectWeights(await findWeights(file));
      console.log(options.json ? JSON.stringify(summary(weights), null, 2) : listing(weights));
    });
}

function summary(weights: WeightsFile) {
  const { path, format, size, prefix, metadata, tensors, others, refused, fastai } = weights;
  return {
    file: path,
    format,
    size,
    prefix,
    metadata,
    tensors: tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    others,
    refused,
    ...(fastai && { fastai }),
  };
}

function listing(weights: WeightsFile): string {
  const { path, format, size, prefix, metadata, tensors, others, refused, fastai } = weights;
  const elements = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
  const bytes = tensors.reduce((sum, entry) => sum + tensorBytes(entry), 0);
  const { removed } = withoutWrappers(weights);
  const wrapped = removed ? `; loading removes '${removed}' from their names` : '';
  const under = prefix ? `, under '${prefix}'` : '';
  const lines = [
    `${path}: ${format}, ${size} bytes`,
    `${counted(tensors.length, 'tensor')}, ${elements} numbers, ${bytes} bytes${under}${wrapped}`,
    ...columns(tensors.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(', ')}]`])),
  ];
  const section = (title: string, rows: string[][]) => {
    if (rows.length > 0) lines.push('', title, ...columns(rows));
  };
  section('Metadata', Object.entries(metadata));
  section(
    'fastai export',
    Object.entries(fastai ?? {}).map(([key, value]) => [key, JSON.stringify(value)]),
  );
  section(
    'Other entries',
    others.map(({ name, value }) => [name, value]),
  );
  section(
    format === 'fastai' ? 'Calls that were read as data and not executed' : 'Refused calls',
    refused.map(({ what, where, times }) => [what, `at byte ${where}`, times > 1 ? `${times} times` : '']),
  );
  return lines.join('\n');
}
