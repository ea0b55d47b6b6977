// Segmentation of slides: in one call, row by row, or one row per job in other processes.
import { types } from 'node:util';
import { checkIterable, checkNumber, checkOptions, refuse } from '../check.js';
import type { Slide } from '../image/slide.js';
import { CALL_OPTION_KEYS, Call, type CallOptions, withCall } from '../native/job.js';
import type { Cells } from './cells.js';
import type { Route, RoutedSegmentation, Segmentation } from './result.js';
import { checkSlideOptions, type SlideRowsOptions, type SlideSegmentOptions } from './slide-options.js';
import {
  checkPlan,
  checkPlanModel,
  imageFingerprint,
  type SlideNetwork,
  type SlidePlan,
  type SlideRoute,
} from './slide-plan.js';
import { collectRows, segmentedRows, stitchedRows, type TileRow } from './slide-run.js';
import { TileStore } from './slide-store.js';
import { decodeTiles, encodeTiles } from './slide-tiles.js';
import type { SegmentThresholds } from './thresholds.js';
import { toCells } from './tiled.js';

/** Options of {@link SlideSegmenter.planSlide}. @internal */
export interface SlideRequest extends SlideSegmentOptions {
  cellType?: string;
  route?: SlideRoute | null;
  /** Thresholds of the model; the other options override them. */
  thresholds?: SegmentThresholds;
  notices?: readonly string[];
  /** Whether the plan is stored or sent to another process. */
  identified: boolean;
}

/** A {@link CellSegmenter} or a {@link RoutedEnsemble}. */
export interface SlideSegmenter {
  /** Yields the cells of each finished row of tiles. */
  segmentRows(slide: Slide, options?: SlideRowsOptions): AsyncGenerator<SlideRowCells, void, undefined>;
  /** Decides how a slide is segmented. @internal */
  planSlide(own: Call, slide: Slide, request: SlideRequest): Promise<SlidePlan>;
  /** The network that segments it. @internal */
  slideNetwork(plan: SlidePlan): SlideNetwork;
}

/** Cells of a slide that are final after one row of tiles. */
export interface SlideRowCells {
  /** Index of the row, and number of rows. */
  row: number;
  rows: number;
  /** Cells that no later row can change, by descending score; in pixels of the level. */
  cells: Cells;
  /** Number of tiles of the row: all, skipped as background, and read from an earlier run. */
  tiles: { count: number; skipped: number; resumed: number };
  /** Cell type of the slide by the ensemble's router. */
  route?: Route;
}

/** Segments a slide in one call. @internal */
export async function segmentSlide(
  segmenter: SlideSegmenter,
  slide: Slide,
  options: SlideSegmentOptions,
  more: readonly string[],
): Promise<Segmentation> {
  checkSlideOptions(slide, options, more);
  return withCall(options, async (own) => {
    const run = await startRun(own, segmenter, slide, options);
    try {
      const result = await collectRows(run.network, slide, run.plan, stitched(own, run, slide, options));
      return named(result, run.plan, options.name);
    } finally {
      await run.store?.close();
    }
  });
}

/** Segments a slide row by row. @internal */
export async function* segmentSlideRows(
  segmenter: SlideSegmenter,
  slide: Slide,
  options: SlideRowsOptions,
  more: readonly string[],
): AsyncGenerator<SlideRowCells, void, undefined> {
  checkSlideOptions(slide, options, more);
  const { detectionsPerImage } = options as SlideSegmentOptions;
  if (detectionsPerImage !== undefined) {
    throw refuse(
      'detectionsPerImage',
      'none, as it limits the cells of the whole slide: use segment',
      detectionsPerImage,
    );
  }
  const own = new Call(options);
  let run: Run | undefined;
  try {
    run = await startRun(own, segmenter, slide, options);
    const { plan, network } = run;
    for await (const { row, tiles, resumed, found } of stitched(own, run, slide, options)) {
      const skipped = tiles.filter(({ tile }) => !tile).length;
      yield {
        row,
        rows: plan.rows,
        cells: toCells(network.config.classNames, found),
        tiles: { count: tiles.length, skipped, resumed },
        ...(plan.route && { route: plan.route }),
      };
    }
  } finally {
    await run?.store?.close();
    own.close();
  }
}

interface Run {
  plan: SlidePlan;
  network: SlideNetwork;
  store: TileStore | undefined;
}

async function startRun(
  own: Call,
  segmenter: SlideSegmenter,
  slide: Slide,
  options: SlideSegmentOptions,
): Promise<Run> {
  const { resume } = options;
  const plan = await segmenter.planSlide(own, slide, { ...options, identified: resume !== undefined });
  const network = segmenter.slideNetwork(plan);
  network.model.join(own);
  return { plan, network, store: resume === undefined ? undefined : await TileStore.open(resume, plan) };
}

const stitched = (own: Call, { plan, network, store }: Run, slide: Slide, queue: SlideSegmentOptions) =>
  stitchedRows(
    own,
    network,
    plan,
    segmentedRows(own, network, slide, plan, { queue, ...(store && { store }) }),
  );

/** Adds the name and the route to a result. */
function named(
  result: Segmentation,
  { route }: SlidePlan,
  name: string | undefined,
): Segmentation | RoutedSegmentation {
  return { ...result, ...(name !== undefined && { name }), ...route };
}

/**
 * Makes the plan of a slide. Its rows can then be segmented by {@link segmentSlideRow} in any order and in any process, and
 * are joined by {@link stitchSlideRows}. The plan is plain data and can be written as JSON.
 *
 * ```ts
 * const plan = await planSlide(segmenter, slide);
 * const rows = [];
 * for (let row = 0; row < plan.rows; row++) rows.push(await segmentSlideRow(segmenter, slide, plan, row));
 * const { cells } = await stitchSlideRows(segmenter, slide, plan, rows);
 * ```
 *
 * @param segmenter a CellSegmenter or a RoutedEnsemble.
 * @throws {CellrouteError} INVALID_ARGUMENT, IMAGE_UNREADABLE, IMAGE_TOO_LARGE, NO_SEGMENTER, DISPOSED.
 */
export async function planSlide(
  segmenter: SlideSegmenter,
  slide: Slide,
  options: SlideSegmentOptions & { cellType?: string } = {},
): Promise<SlidePlan> {
  checkSlideOptions(slide, options, ['cellType']);
  if (options.resume !== undefined)
    throw refuse('resume', 'none, as each row is stored separately', options.resume);
  checkSegmenter(segmenter);
  return withCall(options, (own) => segmenter.planSlide(own, slide, { ...options, identified: true }));
}

/**
 * Segments one row of the tiles of a slide.
 *
 * @param plan of {@link planSlide}, for the same slide and model.
 * @param row index, from 0 to below `plan.rows`.
 * @returns the serialized detections of the row, for {@link stitchSlideRows}.
 * @throws {CellrouteError} INVALID_ARGUMENT, also for a plan of another model or slide; IMAGE_UNREADABLE, DISPOSED.
 */
export async function segmentSlideRow(
  segmenter: SlideSegmenter,
  slide: Slide,
  plan: SlidePlan,
  row: number,
  options: CallOptions = {},
): Promise<Uint8Array> {
  checkOptions(options, CALL_OPTION_KEYS);
  checkSlideOptions(slide, {});
  return withCall(options, async (own) => {
    const network = await plannedNetwork(own, segmenter, plan);
    checkNumber('row', row, { min: 0, max: plan.rows - 1, integer: true });
    const image = await imageFingerprint(own, slide);
    if (image !== undefined && image !== plan.image) throw refuse('slide', 'the slide of the plan', slide);
    const rows = segmentedRows(own, network, slide, plan, { from: row, to: row + 1, queue: {} });
    for await (const { tiles } of rows) return encodeTiles(plan.id, tiles);
    throw refuse('row', `a row below ${plan.rows}`, row);
  });
}

/**
 * Joins the rows of a slide. The result equals that of `segment`.
 *
 * @param slide the slide, or its name and source alone: no pixel is read.
 * @param rows the return values of {@link segmentSlideRow} for all rows, in ascending order.
 * @throws {CellrouteError} INVALID_ARGUMENT for a plan of another model, and where rows are missing or out of order;
 *   DATA_INVALID for damaged rows, RESUME_REFUSED for those of another plan.
 */
export async function stitchSlideRows(
  segmenter: SlideSegmenter,
  slide: Pick<Slide, 'name' | 'source'>,
  plan: SlidePlan,
  rows: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: CallOptions = {},
): Promise<Segmentation> {
  checkOptions(options, CALL_OPTION_KEYS);
  checkIterable('rows', rows, 'bytes');
  return withCall(options, async (own) => {
    const network = await plannedNetwork(own, segmenter, plan);
    const found = stitchedRows(own, network, plan, decoded(plan, rows));
    return named(await collectRows(network, slide, plan, found), plan, undefined);
  });
}

function checkSegmenter(segmenter: SlideSegmenter): void {
  if (typeof segmenter?.slideNetwork === 'function') return;
  throw refuse('segmenter', 'a CellSegmenter or a RoutedEnsemble', segmenter);
}

async function plannedNetwork(own: Call, segmenter: SlideSegmenter, plan: SlidePlan): Promise<SlideNetwork> {
  checkSegmenter(segmenter);
  checkPlan(plan);
  const network = segmenter.slideNetwork(plan);
  network.model.join(own);
  await checkPlanModel(own, plan, network);
  return network;
}

async function* decoded(
  plan: SlidePlan,
  rows: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<TileRow, void, undefined> {
  let row = 0;
  for await (const bytes of rows) {
    if (!types.isUint8Array(bytes))
      throw refuse(`rows[${row}]`, 'bytes, as segmentSlideRow returns them', bytes);
    const tiles = decodeTiles(bytes, plan.id, `rows[${row}]`);
    const first = row * plan.columns;
    if (tiles.length !== plan.columns || tiles.some(({ index }, i) => index !== first + i)) {
      throw refuse('rows', `row ${row} in place ${row}`, `tiles from ${tiles[0]?.index ?? 'none'} on`);
    }
    yield { row: row++, tiles, resumed: 0 };
  }
  if (row !== plan.rows) throw refuse('rows', `all ${plan.rows} rows of the plan`, row);
}
