// Segments the tiles of an image separately and joins their detections. Images in memory and slides use the same functions.
import { boxArray } from '../mask/boxes.js';
import { Masks } from '../mask/masks.js';
import type {
  ImageHandle,
  NativeGrid,
  NativeImage,
  NativeRange,
  NativeSegmentation,
  NativeSegmentOptions,
  NativeStitched,
  NativeTile,
  NativeTileDetections,
  NativeTilePlan,
} from '../native/contract.js';
import type { Call, Progress } from '../native/job.js';
import { call, native } from '../native/load.js';
import { Cells } from './cells.js';
import type { LoadedModel } from './model.js';
import { segmentWithinLimits } from './raise-limits.js';

/** Settings that all tiles of an image share. */
export interface TiledRun {
  model: LoadedModel;
  grid: NativeGrid;
  request: NativeSegmentOptions;
  /** Whether a tile that reaches a limit is segmented again with higher ones. */
  raisesLimits: boolean;
  range: NativeRange | null;
}

/** Pixels of one or more tiles. */
export interface TilePixels {
  image: NativeImage | ImageHandle;
  /** Position of the first pixel in the image. */
  x: number;
  y: number;
  /** Frees them; called once per tile. */
  release?(): void;
}

/** Number of queued tiles: one is computed while the next is prepared. */
const IN_FLIGHT = 2;
/** Share of the tiles in the progress; the rest is stitching. */
const TILES_END = 0.98;

/** Positions of the tiles of a grid. */
export const planTiles = ({ handle }: LoadedModel, grid: NativeGrid): NativeTilePlan =>
  call(() => native().planTiles(handle, grid));

/**
 * Segments tiles in the order given.
 *
 * @param pixelsOf the pixels of a tile; undefined skips it. It is called for the next tile while one is computed.
 * @throws what `pixelsOf` throws, and what stopped the call. Tiles in flight are then finished first.
 */
export async function* eachTile(
  own: Call,
  run: TiledRun,
  indices: Iterable<number>,
  count: number,
  pixelsOf: (index: number) => Promise<TilePixels | undefined>,
): AsyncGenerator<{ index: number; tile: NativeTile | undefined }, void, undefined> {
  const { model, grid, request, range } = run;
  let furthest: Progress = { stage: '', fraction: 0 };
  const segment = async (index: number): Promise<NativeTile | undefined> => {
    const pixels = await pixelsOf(index);
    if (!pixels) return undefined;
    const { image, x, y, release } = pixels;
    const progress = ({ fraction: own }: Progress): Progress => {
      const fraction = (TILES_END * (index + own)) / count;
      // A tile that is segmented again runs after the next one.
      if (fraction >= furthest.fraction) furthest = { stage: `tile ${index + 1} of ${count}`, fraction };
      return furthest;
    };
    const once = (asked: NativeSegmentOptions) =>
      model.runIn(
        own,
        (handle, job) => native().segmentTile(handle, image, asked, grid, { index, x, y }, range, job),
        { progress },
      );
    try {
      return await segmentWithinLimits(request, once, { raises: run.raisesLimits });
    } finally {
      release?.();
    }
  };
  const inFlight: { index: number; tile: Promise<NativeTile | undefined> }[] = [];
  try {
    for (const index of indices) {
      own.throwIfStopped();
      const tile = segment(index);
      // Its failure is reported when its turn comes.
      tile.catch(() => {});
      inFlight.push({ index, tile });
      if (inFlight.length < IN_FLIGHT) continue;
      const first = inFlight[0]!;
      yield { index: first.index, tile: await first.tile };
      inFlight.shift();
    }
    for (const { index, tile } of inFlight) yield { index, tile: await tile };
  } finally {
    await Promise.allSettled(inFlight.map(({ tile }) => tile));
  }
}

/** Joins the detections of tiles; with `nextRow`, those that later rows cannot change. */
export const stitchTiles = (
  own: Call,
  { model, grid, request }: TiledRun,
  tiles: readonly NativeTileDetections[],
  nextRow: number | null,
): Promise<NativeStitched> => {
  const { minArea, maxLost, profile } = request;
  const options = { minArea, maxLost, limit: grid.tiling.limit, nextRow, profile };
  return model.runIn(own, (handle, job) => native().stitchTiles(handle, grid, tiles, options, job), {
    progress: nextRow === null,
  });
};

/** Whether a limit dropped detections of one of the tiles. */
export const cappedTiles = (tiles: readonly NativeTile[]) => ({
  detectionsCapped: tiles.some(({ detectionsCapped }) => detectionsCapped),
  proposalsCapped: tiles.some(({ proposalsCapped }) => proposalsCapped),
});

/** Seconds per stage of several jobs; undefined where none measured them. */
export function sumProfiles(
  profiles: readonly (Record<string, number> | undefined)[],
): Record<string, number> | undefined {
  const measured = profiles.filter((profile) => profile !== undefined);
  if (measured.length === 0) return undefined;
  const sums: Record<string, number> = {};
  for (const profile of measured) {
    for (const [stage, seconds] of Object.entries(profile)) sums[stage] = (sums[stage] ?? 0) + seconds;
  }
  return sums;
}

/** Cells as the addon returned them. */
export function toCells(
  classNames: readonly string[],
  { boxes, scores, labels, areas, masks }: NativeSegmentation,
): Cells {
  return new Cells({ boxes: boxArray(boxes), scores, labels, areas, masks: Masks.adopt(masks), classNames });
}
