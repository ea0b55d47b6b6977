// The work of a job of any queue: reads the image, segments it and writes the files of the result.
import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkObject } from '../check.js';
import { CellrouteError } from '../errors.js';
import { type ImageFormatContext, type ResultFormatName, resultFormat } from '../export/formats.js';
import { decodeImage } from '../image/decode.js';
import { readOptionsIn, withoutReadOptions } from '../image/select.js';
import type { Slide } from '../image/slide.js';
import { openSlide } from '../image/slide-open.js';
import type { RoutedEnsemble, RoutedSegmentOptions } from '../inference/ensemble.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { planSlide, segmentSlideRow, stitchSlideRows } from '../inference/segment-slide.js';
import type { SlidePlan } from '../inference/slide-plan.js';
import type { TileSize, Tiles } from '../inference/tiles.js';
import type { Progress } from '../native/job.js';
import { isFull } from './failure.js';
import type { ObjectStore } from './objects.js';
import { RECORD_FILE, resultFile, resultKey } from './result-key.js';
import { smallerTiles, smallerTilesNotice, withinMemory } from './smaller-tiles.js';
import type { ImageSources } from './source.js';
import type { PlannedSlide, SegmentedTask, StoredTask, TaskCall, TaskRunner } from './types.js';

/** Whether this is an existing result instead of a plan. */
export const isResult = (planned: PlannedSlide | SegmentedTask): planned is SegmentedTask =>
  'files' in planned;

/** Processes a task completely, one row after the other. */
export async function runTask(
  runner: TaskRunner,
  task: StoredTask,
  { signal, onProgress }: TaskCall,
): Promise<SegmentedTask> {
  if (!task.slide) return runner.image(task, { signal, onProgress });
  let planned = await runner.plan(task, { signal, onProgress });
  while (!isResult(planned)) {
    try {
      await segmentRows(runner, task, planned, { signal, onProgress });
    } catch (error) {
      if (!needsSmallerTiles(planned, error)) throw error;
      planned = await runner.plan(task, { signal, onProgress }, planned);
      continue;
    }
    return runner.stitch(task, planned, { signal, onProgress });
  }
  return planned;
}

/** Whether a slide is to be planned again with smaller tiles, after this error of a row. */
export const needsSmallerTiles = ({ smaller }: PlannedSlide, error: unknown): boolean =>
  smaller !== undefined && CellrouteError.is(error, 'OUT_OF_MEMORY');

async function segmentRows(
  runner: TaskRunner,
  task: StoredTask,
  planned: PlannedSlide,
  { signal, onProgress }: TaskCall,
): Promise<void> {
  const missing = await runner.missingRows(planned, { signal, onProgress });
  const before = planned.rows - missing.length;
  for (const [i, row] of missing.entries()) {
    const ofRow = ({ stage, fraction }: Progress) =>
      onProgress({ stage, fraction: (before + i + fraction) / planned.rows });
    await runner.row(task, planned, row, { signal, onProgress: ofRow });
  }
}

/** Options of {@link SegmentRunner}. */
export interface RunnerOptions {
  ensemble: RoutedEnsemble;
  results: ObjectStore;
  images: ImageSources;
  /** Seconds between attempts to write a file while the disk is full. */
  fullSeconds: number;
}

/** A file of a plan: of a row, or the plan itself. Plans with smaller tiles have files of their own. */
const planFile = ({ key, tiles }: PlannedSlide, file: 'plan' | number) =>
  resultFile(key, tiles ? `rows/${tiles.size}-${file}` : `rows/${file}`);

/** The next smaller tiles for a slide; undefined where there are none. */
function smallerTilesOf(plan: SlidePlan, asked: Tiles | undefined): TileSize | undefined {
  // A plan's tiles have pixels of the network's input.
  const size = Math.round(plan.tiling.size / plan.tiling.scale);
  const overlap = typeof asked === 'object' ? asked.overlap : undefined;
  const [smaller] = smallerTiles({ size, overlap }, plan);
  return smaller;
}

/** Segments with an ensemble. */
export class SegmentRunner implements TaskRunner {
  readonly #ensemble: RoutedEnsemble;
  readonly #results: ObjectStore;
  readonly #images: ImageSources;
  readonly #fullSeconds: number;

  constructor({ ensemble, results, images, fullSeconds }: RunnerOptions) {
    this.#ensemble = ensemble;
    this.#results = results;
    this.#images = images;
    this.#fullSeconds = fullSeconds;
  }

  async image(task: StoredTask, call: TaskCall): Promise<SegmentedTask> {
    const { signal } = call;
    const bytes = await this.#images.read(task.image, signal);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const key = resultKey(digest, await this.#ensemble.fingerprint({ signal }), task);
    const known = await this.#known(key, signal);
    if (known) return known;
    const read = readOptionsIn(task.options);
    const options = withoutReadOptions(task.options);
    const image = await decodeImage(bytes, { ...read, signal });
    const result = await withinMemory(options.tiles, image, (tiles) =>
      this.#ensemble.segment(image, {
        ...(options as RoutedSegmentOptions),
        ...(tiles && { tiles }),
        name: task.name,
        ...call,
      }),
    );
    const { pixelSize } = options;
    return this.#write(key, task, result, call, {
      image,
      file: bytes,
      limits: read.limits,
      pixelSize: task.outputPixelSize ?? (pixelSize === 'file' ? undefined : pixelSize),
    });
  }

  async plan(
    task: StoredTask,
    call: TaskCall,
    exhausted?: PlannedSlide,
  ): Promise<PlannedSlide | SegmentedTask> {
    const { signal } = call;
    const tiles = exhausted?.smaller;
    return this.#withSlide(task, signal, async (slide) => {
      const options = withoutReadOptions(task.options);
      const plan = await planSlide(this.#ensemble, slide, {
        ...(options as Parameters<typeof planSlide>[2]),
        ...(tiles && { tiles }),
        ...call,
      });
      // Of the task, so that a result in smaller tiles is found by it.
      const key = exhausted?.key ?? resultKey(plan.id, await this.#ensemble.fingerprint({ signal }), task);
      const known = await this.#known(key, signal);
      if (known) return known;
      const notices = tiles ? [...plan.notices, smallerTilesNotice('slide', tiles)] : plan.notices;
      const smaller = smallerTilesOf(plan, tiles ?? options.tiles);
      const planned: PlannedSlide = {
        key,
        rows: plan.rows,
        ...(tiles && { tiles }),
        ...(smaller && { smaller }),
        ...(exhausted && { replaces: exhausted }),
      };
      const text = JSON.stringify({ ...plan, notices });
      await this.#put(planFile(planned, 'plan'), () => [Buffer.from(text)], call);
      return planned;
    });
  }

  async missingRows(planned: PlannedSlide, { signal }: TaskCall): Promise<number[]> {
    if (await this.#known(planned.key, signal)) return [];
    const missing: number[] = [];
    for (let row = 0; row < planned.rows; row++) {
      if (!(await this.#results.has(planFile(planned, row), { signal }))) missing.push(row);
    }
    return missing;
  }

  async row(task: StoredTask, planned: PlannedSlide, row: number, call: TaskCall): Promise<void> {
    const { signal } = call;
    const file = planFile(planned, row);
    if ((await this.#results.has(file, { signal })) || (await this.#known(planned.key, signal))) return;
    await this.#withSlide(task, signal, async (slide) => {
      const plan = await this.#readPlan(planned, signal);
      const cells = await segmentSlideRow(this.#ensemble, slide, plan, row, call);
      await this.#put(file, () => [cells], call);
    });
  }

  async stitch(task: StoredTask, planned: PlannedSlide, call: TaskCall): Promise<SegmentedTask> {
    const { signal } = call;
    const known = await this.#known(planned.key, signal);
    const written = known ?? (await this.#stitch(task, planned, call));
    // Also after an earlier attempt that ended between the result and this step.
    for (let plan: PlannedSlide | undefined = planned; plan; plan = plan.replaces) {
      for (let row = 0; row < plan.rows; row++) await this.#results.delete(planFile(plan, row));
      await this.#results.delete(planFile(plan, 'plan'));
    }
    return written;
  }

  async #stitch(task: StoredTask, planned: PlannedSlide, call: TaskCall): Promise<SegmentedTask> {
    const { signal } = call;
    const results = this.#results;
    return this.#withSlide(task, signal, async (slide) => {
      const plan = await this.#readPlan(planned, signal);
      async function* cellsOfRows() {
        for (let row = 0; row < planned.rows; row++)
          yield await results.get(planFile(planned, row), { signal });
      }
      const stitched = await stitchSlideRows(this.#ensemble, slide, plan, cellsOfRows(), call);
      const result = { ...(stitched as RoutedSegmentation), name: task.name };
      const { outputPixelSize } = task;
      return this.#write(planned.key, task, result, call, {
        file: slide,
        // The option refers to the full resolution, the result to a level.
        pixelSize: outputPixelSize === undefined ? undefined : outputPixelSize * plan.downsample,
      });
    });
  }

  async #withSlide<T>(
    { image, options }: StoredTask,
    signal: AbortSignal,
    body: (slide: Slide) => Promise<T>,
  ): Promise<T> {
    const slide = await openSlide(this.#images.slideLocation(image), { ...readOptionsIn(options), signal });
    try {
      return await body(slide);
    } finally {
      await slide.close();
    }
  }

  async #readPlan(planned: PlannedSlide, signal: AbortSignal): Promise<SlidePlan> {
    const file = planFile(planned, 'plan');
    return objectIn(file, await this.#results.get(file, { signal })) as SlidePlan;
  }

  /** An existing result with this key. */
  async #known(key: string, signal: AbortSignal): Promise<SegmentedTask | undefined> {
    const file = resultFile(key, RECORD_FILE);
    if (!(await this.#results.has(file, { signal }))) return undefined;
    const record = objectIn(file, await this.#results.get(file, { signal })) as SegmentedTask;
    return { ...record, created: false };
  }

  async #write(
    key: string,
    { name, formats, columns }: StoredTask,
    result: RoutedSegmentation,
    call: TaskCall,
    more: ImageFormatContext,
  ): Promise<SegmentedTask> {
    const { signal } = call;
    const context = { name, columns, signal, ...more };
    const stem = basename(name, extname(name)) || name;
    const files: Partial<Record<ResultFormatName, string>> = {};
    for (const format of formats) {
      const { scope, extension, write } = resultFormat(format);
      if (scope !== 'image') continue;
      const file = resultFile(key, `${stem}${extension}`);
      await this.#put(file, () => write(result, context), call);
      files[format] = file;
    }
    const { cellType, cells, notices } = result;
    const record = {
      key,
      created: true,
      name,
      cellType,
      cells: cells.length,
      files,
      ...(notices && { notices }),
    };
    const created = await this.#put(
      resultFile(key, RECORD_FILE),
      () => [Buffer.from(`${JSON.stringify(record)}\n`)],
      call,
    );
    return { ...record, created };
  }

  /** Writes a file. If the disk is full, waits and tries again, so that the result is not computed again. */
  async #put(
    file: string,
    content: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    { signal, onProgress }: TaskCall,
  ): Promise<boolean> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await this.#results.put(file, content(), { signal });
      } catch (error) {
        if (!isFull(error)) throw error;
        onProgress({ stage: 'waiting for room to write', fraction: 1 });
        await delay(this.#fullSeconds * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }
}

/** The object in a JSON file of a store. */
function objectIn(file: string, bytes: Uint8Array): object {
  try {
    return checkObject(file, JSON.parse(Buffer.from(bytes).toString()));
  } catch (cause) {
    throw new CellrouteError(
      'DATA_INVALID',
      `${file} is damaged: it is not an object in JSON`,
      { file },
      { cause },
    );
  }
}
