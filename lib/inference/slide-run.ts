// Reads, segments and stores the tiles of a slide, and joins them row by row.
import { checkIntensity } from '../image/intensity.js';
import type { Slide } from '../image/slide.js';
import { readWindow } from '../image/slide-window.js';
import type { ImageSource, RawImage } from '../image/types.js';
import { boxArray } from '../mask/boxes.js';
import { type MaskBatch, Masks } from '../mask/masks.js';
import type { NativeStitched, NativeTileDetections } from '../native/contract.js';
import type { Call } from '../native/job.js';
import { call, native } from '../native/load.js';
import { Cells } from './cells.js';
import { type QueueOptions, takeRoom } from './queue.js';
import type { Seams, Segmentation, SlideInfo } from './result.js';
import type { SlideNetwork, SlidePlan } from './slide-plan.js';
import { checkAlike, contrastOf } from './slide-sample.js';
import type { TileStore } from './slide-store.js';
import { pickDetections, type SegmentedTile } from './slide-tiles.js';
import { eachTile, planTiles, stitchTiles, type TiledRun, type TilePixels } from './tiled.js';

/** A row of tiles. */
export interface TileRow {
  row: number;
  tiles: SegmentedTile[];
  /** Tiles that were read from the folder of an earlier run. */
  resumed: number;
}

const runOf = ({ model }: SlideNetwork, plan: SlidePlan): TiledRun => {
  const { width, height, tiling, request, raisesLimits, range } = plan;
  return { model, grid: { width, height, tiling }, request, raisesLimits, range };
};

/** At most four samples of four bytes. */
const BYTES_PER_PIXEL = 16;
/** Tiles in memory: one is computed while the next is read. */
const TILES_HELD = 2;

/** Segments the rows of tiles from `from` to below `to`. Two tiles and the detections of one row are in memory. */
export async function* segmentedRows(
  own: Call,
  network: SlideNetwork,
  slide: Slide,
  plan: SlidePlan,
  {
    from = 0,
    to = plan.rows,
    store,
    queue,
  }: { from?: number; to?: number; store?: TileStore; queue: QueueOptions },
): AsyncGenerator<TileRow, void, undefined> {
  const run = runOf(network, plan);
  const places = planTiles(network.model, run.grid);
  const indices = Array.from({ length: (to - from) * plan.columns }, (_, i) => from * plan.columns + i);
  const largest = (sizes: Uint32Array) =>
    sizes.reduce((max, size, i) => (i % 2 ? Math.max(max, size) : max), 0);
  const tileBytes = largest(places.columns) * largest(places.rows) * BYTES_PER_PIXEL;
  const room = await takeRoom(own, TILES_HELD * tileBytes, queue);
  let first: RawImage | undefined;
  const pixelsOf = async (index: number): Promise<TilePixels | undefined> => {
    const [column, row] = [index % plan.columns, Math.floor(index / plan.columns)];
    const [x, width] = [places.columns[2 * column]!, places.columns[2 * column + 1]!];
    const [y, height] = [places.rows[2 * row]!, places.rows[2 * row + 1]!];
    const image = await readWindow(slide, { x, y, width, height, level: plan.level }, own.signal);
    first ??= { ...image, data: image.data.subarray(0, 0) };
    checkAlike(image, first);
    await checkIntensity(network.config.intensity, image);
    if (plan.background !== null && (await contrastOf(image)) < plan.background) return undefined;
    return { image, x, y };
  };
  const missing = new Set(store ? indices.filter((index) => !store.has(index)) : indices);
  const tiles = eachTile(own, run, missing, plan.columns * plan.rows, pixelsOf);
  try {
    for (let row = from; row < to; row++) {
      const done: TileRow = { row, tiles: [], resumed: 0 };
      for (let index = row * plan.columns; index < (row + 1) * plan.columns; index++) {
        if (store && !missing.has(index)) {
          done.tiles.push(await store.read(index));
          done.resumed++;
          continue;
        }
        const { value } = await tiles.next();
        const tile = value as SegmentedTile;
        await store?.write(tile);
        done.tiles.push(tile);
      }
      yield done;
    }
  } finally {
    await tiles.return(undefined);
    call(() => native().releaseRoom(room));
  }
}

/** Cells that no later row can change. */
export interface StitchedRow extends TileRow {
  found: NativeStitched;
}

/**
 * Joins rows as they arrive. Detections that later rows may change are held back. If the number of cells is limited, all
 * detections are held back until the last row, because the limit applies to the whole slide.
 */
export async function* stitchedRows(
  own: Call,
  network: SlideNetwork,
  plan: SlidePlan,
  rows: AsyncIterable<TileRow> | Iterable<TileRow>,
): AsyncGenerator<StitchedRow, void, undefined> {
  const run = runOf(network, plan);
  let open: NativeTileDetections[] = [];
  for await (const row of rows) {
    const all = [...open, ...row.tiles.flatMap(({ tile }) => (tile ? [tile] : []))];
    const isLast = row.row === plan.rows - 1;
    const nextRow = isLast ? null : plan.tiling.limit === null ? row.row + 1 : 0;
    const found = await stitchTiles(own, run, all, nextRow);
    open = pickDetections(all, found.open);
    yield { ...row, found };
  }
}

/** The result of a slide from its rows. */
export async function collectRows(
  network: SlideNetwork,
  slide: Pick<Slide, 'name' | 'source'>,
  plan: SlidePlan,
  rows: AsyncIterable<StitchedRow>,
): Promise<Segmentation> {
  const found: NativeStitched[] = [];
  const tiles = { count: plan.rows * plan.columns, skipped: 0, resumed: 0 };
  let [detections, proposals] = [false, false];
  for await (const { tiles: own, resumed, found: cells } of rows) {
    found.push(cells);
    tiles.resumed += resumed;
    tiles.skipped += own.filter(({ tile }) => !tile).length;
    const capped = (key: 'detectionsCapped' | 'proposalsCapped') => own.some(({ tile }) => tile?.[key]);
    detections ||= cells.detectionsCapped || capped('detectionsCapped');
    proposals ||= capped('proposalsCapped');
  }
  const { cells, onSeam } = joinRows(network, plan, found);
  const { level, downsample, scale, width, height, notices } = plan;
  const info: SlideInfo = { level, downsample, tiles };
  const sentences = [...new Set([...(slide.source?.notices ?? []), ...notices])];
  const seams = seamsOf(network, plan, onSeam);
  return {
    ...(slide.name !== undefined && { name: slide.name }),
    width,
    height,
    cells,
    limitsReached: { detections, proposals },
    scale,
    ...(seams && { seams }),
    ...(slide.source && { source: sourceAt(slide.source, downsample) }),
    ...(sentences.length > 0 && { notices: sentences }),
    slide: info,
  };
}

/** The source of a slide, with the pixel size of the segmented level. */
const sourceAt = ({ pixelSize, ...source }: ImageSource, downsample: number): ImageSource => ({
  ...source,
  ...(pixelSize !== undefined && { pixelSize: pixelSize * downsample }),
});

/** Seams between the tiles of a plan; undefined for a single tile. */
export function seamsOf(
  { model }: SlideNetwork,
  { width, height, tiling, columns, rows }: SlidePlan,
  cells: readonly number[],
): Seams | undefined {
  if (columns * rows === 1) return undefined;
  const { seamsX, seamsY } = planTiles(model, { width, height, tiling });
  return { x: Array.from(seamsX), y: Array.from(seamsY), cells };
}

/** Cells of all rows by descending score; equal scores by position, as within a row. */
function joinRows(
  { config }: SlideNetwork,
  { width, height }: SlidePlan,
  found: readonly NativeStitched[],
): { cells: Cells; onSeam: number[] } {
  const join = <T extends Float32Array | Int32Array | Uint32Array>(
    make: new (length: number) => T,
    part: (one: NativeStitched) => T,
  ): T => {
    const parts = found.map(part);
    const joined = new make(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const values of parts) {
      joined.set(values as never, at);
      at += values.length;
    }
    return joined;
  };
  const boxes = join(Float32Array, (one) => one.boxes);
  const scores = join(Float32Array, (one) => one.scores);
  const order = Array.from(scores.keys()).sort(
    (a, b) =>
      scores[b]! - scores[a]! || boxes[4 * a + 1]! - boxes[4 * b + 1]! || boxes[4 * a]! - boxes[4 * b]!,
  );
  const offsets = new Uint32Array(scores.length + 1);
  let [cell, counts] = [0, 0];
  const seam = new Uint8Array(scores.length);
  for (const { masks, onSeam } of found) {
    for (const index of onSeam) seam[cell + index] = 1;
    for (let i = 1; i < masks.offsets.length; i++) offsets[++cell] = counts + masks.offsets[i]!;
    counts += masks.counts.length;
  }
  const batch: MaskBatch = { width, height, counts: join(Uint32Array, (one) => one.masks.counts), offsets };
  const labels = join(Int32Array, (one) => one.labels);
  const areas = join(Uint32Array, (one) => one.areas);
  const ordered = new Float32Array(boxes.length);
  for (const [to, from] of order.entries()) ordered.set(boxes.subarray(4 * from, 4 * from + 4), 4 * to);
  const cells = new Cells({
    boxes: boxArray(ordered),
    scores: Float32Array.from(order, (i) => scores[i]!),
    labels: Int32Array.from(order, (i) => labels[i]!),
    areas: Uint32Array.from(order, (i) => areas[i]!),
    masks: Masks.adopt(batch).select(order),
    classNames: config.classNames,
  });
  return { cells, onSeam: order.flatMap((from, to) => (seam[from] ? [to] : [])) };
}
