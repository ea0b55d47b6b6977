import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch } from '../../lib/data/types.js';
import type { NativeStep, NativeStepResult } from '../../lib/native/contract.js';
import { readCheckpoint } from '../../lib/trainer/checkpoint.js';
import { type PartialSegmenterTraining, segmenterTraining } from '../../lib/trainer/config.js';
import type { TrainEvent } from '../../lib/trainer/events.js';
import { beginning, lengthOf } from '../../lib/trainer/progress.js';
import { Records } from '../../lib/trainer/records.js';
import { type RunParts, TrainingRun } from '../../lib/trainer/run.js';
import { exists, RunFolder } from '../../lib/trainer/run-folder.js';
import type { TrainingTypes, ValidationResult } from '../../lib/trainer/task.js';
import { openWeights } from '../../lib/weights/open.js';
import { TensorReader } from '../../lib/weights/read-tensor.js';
import { writeWeights } from '../../lib/weights/write.js';

export type Event = TrainEvent<string, number>;

/** A "network" of one number. Each step mixes its inputs into it, so that a missing or repeated step is detected. */
export class ToyNetwork {
  weight = 1;
  steps: NativeStep[] = [];
  fed: string[][] = [];
  disposed = false;

  constructor(
    readonly behave: { result?: (step: number) => Partial<NativeStepResult>; slow?: number } = {},
  ) {}

  async step(
    samples: readonly string[],
    step: NativeStep,
    options: { signal?: AbortSignal | undefined } = {},
  ) {
    if (this.behave.slow) await new Promise((done) => setTimeout(done, this.behave.slow));
    options.signal?.throwIfAborted();
    const mixed = [...samples.join('')].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
    const losses = { loss_mask: (this.weight % 1) + 0.5, loss_classifier: 0.25 };
    const result = { losses, gradNorm: 1, applied: true, ...this.behave.result?.(this.steps.length + 1) };
    if (result.applied) {
      this.weight =
        (this.weight * 1.000123 + mixed * step.lr + step.momentum / 7 + (step.seed % 1000) / 1e6) % 10;
    }
    this.steps.push(step);
    this.fed.push([...samples]);
    return result;
  }

  async snapshot() {
    const { weight } = this;
    const tensors = [tensor('weight', weight)];
    return {
      weight,
      save: (path: string) => writeWeights(path, { tensors, metadata: {} }),
      dispose: async () => {},
    };
  }

  tensors() {
    return [tensor('model.weight', this.weight)];
  }

  async restore(path: string) {
    this.weight = await storedWeight(path);
  }

  async dispose() {
    this.disposed = true;
  }
}

const tensor = (name: string, value: number) => ({
  name,
  dtype: 'F64' as const,
  shape: [1],
  read: () => new Uint8Array(new Float64Array([value]).buffer),
});

/** The only number in a weights file. */
export async function storedWeight(path: string): Promise<number> {
  const { tensors } = await openWeights(path);
  const reader = await TensorReader.open(path);
  try {
    const bytes = await reader.read(tensors[0]!);
    return new Float64Array(new Uint8Array(bytes).buffer)[0]!;
  } finally {
    await reader.close();
  }
}

/** Images a to g in batches of two, in a different order per epoch; the last batch of an epoch has one. */
export const letters = {
  stepsPerEpoch: 4,
  open: 0,
  async *batches(epoch: number, fromStep = 0, signal?: AbortSignal): AsyncGenerator<Batch<string>> {
    this.open++;
    try {
      const order = [...'abcdefg'].map((_, i) => 'abcdefg'[(i * 3 + epoch) % 7]!);
      for (let step = fromStep; step < this.stepsPerEpoch; step++) {
        signal?.throwIfAborted();
        const ids = order.slice(2 * step, 2 * step + 2);
        yield { samples: ids, ids, notices: [] };
      }
    } finally {
      this.open--;
    }
  },
};

interface ToyTypes extends TrainingTypes {
  sample: string;
  snapshot: Awaited<ReturnType<ToyNetwork['snapshot']>>;
  evaluation: number;
}

export interface ToyOptions {
  config?: PartialSegmenterTraining;
  /** Scores of the validations, in order; the last one is repeated. Default: no validations. */
  scores?: number[] | ((weight: number) => number);
  /** Tie-breakers of equal scores, in order. */
  ties?: number[];
  network?: ToyNetwork;
  /** Checks that the folder is still locked. */
  verify?: () => Promise<void>;
}

/** A run of a toy network in a folder, resumed from the folder's checkpoint if there is one. */
export async function toyRun(
  path: string,
  { config = {}, scores, ties, network = new ToyNetwork(), verify = async () => {} }: ToyOptions = {},
) {
  const folder = RunFolder.at(path);
  await folder.prepare();
  const full = segmenterTraining({ epochs: 3, checkpoint: { everyMinutes: 1000 }, ...config });
  const state = (await exists(folder.last)) ? await readCheckpoint(folder.last) : undefined;
  if (state) await network.restore(folder.last);
  const position = state?.position ?? beginning;
  let validations = 0;
  let tied = 0;
  const validate = async ({ weight }: { weight: number }): Promise<ValidationResult<number>> => {
    const score =
      typeof scores === 'function' ? scores(weight) : scores![Math.min(validations++, scores!.length - 1)]!;
    return {
      metric: 'kaggle',
      score,
      ...(ties ? { tie: ties[tied++]! } : {}),
      figures: { kaggle: score },
      evaluation: weight,
    };
  };
  const records = await Records.open(folder, position.logBytes, []);
  const parts: RunParts<ToyTypes> = {
    folder,
    lock: { verify },
    config: full,
    length: lengthOf(full, letters.stepsPerEpoch),
    network,
    loader: letters,
    validate: scores ? validate : null,
    weights: folder.weights('segmenter'),
    state: {
      kind: 'training-state',
      version: '1',
      config: full,
      data: { train: 'abc', validation: null },
      environment: {
        cellroute: '0',
        libtorch: '0',
        cpuCapability: '',
        processor: '',
        threads: 1,
        node: '',
        system: '',
        memoryGiB: 1,
      },
    },
    position,
    resumed: state !== undefined,
    notices: [],
    records,
  };
  const run = new TrainingRun<ToyTypes>(parts);
  return { run, network, folder, records };
}

/** All events of a run, or those until `until` returns true; the run is then closed. */
export async function collect(
  toy: Awaited<ReturnType<typeof toyRun>>,
  options: { signal?: AbortSignal; until?: (event: Event) => boolean } = {},
): Promise<Event[]> {
  const events: Event[] = [];
  try {
    for await (const event of toy.run.run(options.signal)) {
      events.push(event);
      if (options.until?.(event)) break;
    }
  } finally {
    await toy.records.close();
  }
  return events;
}

/** Lines of a log without times. */
export function logOf(path: string): object[] {
  const text = readFileSync(path, 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const { time, seconds, imagesPerSecond, ...rest } = JSON.parse(line) as Record<string, unknown>;
      return rest;
    });
}

/** Folders that are deleted after the tests of this file. */
export function runFolders(): (name: string) => string {
  const root = mkdtempSync(join(tmpdir(), 'cellroute-runs-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return (name) => join(root, name);
}
