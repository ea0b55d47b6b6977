import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CellrouteError } from '../errors.js';
import { unreadable } from '../file-errors.js';
import { FolderLock } from '../folder-lock.js';
import { makeFolder, writeAtomically } from '../weights/atomic.js';
import type { SlidePlan } from './slide-plan.js';
import { decodeTiles, encodeTiles, type SegmentedTile } from './slide-tiles.js';

const PLAN_FILE = 'plan.json';
const TILE_FILE = /^tile-(\d{1,9})\.cells$/;
const tileFile = (index: number) => `tile-${index}.cells`;

/** A folder with the finished tiles of a slide, one file per tile. */
export class TileStore {
  readonly #folder: string;
  readonly #plan: SlidePlan;
  readonly #lock: FolderLock;
  readonly #finished: Set<number>;

  private constructor(folder: string, plan: SlidePlan, lock: FolderLock, finished: Set<number>) {
    this.#folder = folder;
    this.#plan = plan;
    this.#lock = lock;
    this.#finished = finished;
  }

  /**
   * Locks the folder and lists its tiles. Damaged files are ignored, so that their tiles are segmented again.
   *
   * @throws {CellrouteError} RESUME_REFUSED for a folder of another plan; RUN_LOCKED, FILE_UNREADABLE, FILE_UNWRITABLE.
   */
  static async open(folder: string, plan: SlidePlan): Promise<TileStore> {
    await makeFolder(folder);
    const lock = await FolderLock.acquire(folder);
    try {
      await checkPlan(folder, plan);
      const finished = new Set<number>();
      for (const name of await readdir(folder).catch(unreadable(folder))) {
        const index = Number(TILE_FILE.exec(name)?.[1] ?? -1);
        if (index >= 0 && (await readTile(folder, plan, index))) finished.add(index);
      }
      return new TileStore(folder, plan, lock, finished);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  has(index: number): boolean {
    return this.#finished.has(index);
  }

  /** Number of finished tiles. */
  get size(): number {
    return this.#finished.size;
  }

  async read(index: number): Promise<SegmentedTile> {
    const tile = await readTile(this.#folder, this.#plan, index);
    if (tile) return tile;
    const file = join(this.#folder, tileFile(index));
    throw new CellrouteError('FILE_UNREADABLE', `${file} was damaged while the folder was in use`, { file });
  }

  async write(tile: SegmentedTile): Promise<void> {
    await writeAtomically(join(this.#folder, tileFile(tile.index)), [encodeTiles(this.#plan.id, [tile])]);
    this.#finished.add(tile.index);
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }
}

async function readTile(folder: string, plan: SlidePlan, index: number): Promise<SegmentedTile | undefined> {
  const path = join(folder, tileFile(index));
  const bytes = await readFile(path).catch(unreadable(path));
  try {
    const [tile] = decodeTiles(bytes, plan.id, path);
    return tile?.index === index ? tile : undefined;
  } catch (error) {
    if (error instanceof CellrouteError && error.code === 'DATA_INVALID') return undefined;
    throw error;
  }
}

async function checkPlan(folder: string, plan: SlidePlan): Promise<void> {
  const path = join(folder, PLAN_FILE);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    return unreadable(path)(error);
  });
  if (text === undefined) {
    await writeAtomically(path, [Buffer.from(`${JSON.stringify(plan, null, 2)}\n`)]);
    return;
  }
  let kept: Partial<SlidePlan> = {};
  try {
    kept = JSON.parse(text) as Partial<SlidePlan>;
  } catch {
    // Without a plan it is not known what its tiles are of.
  }
  if (kept?.id === plan.id) return;
  const what =
    kept?.image !== plan.image
      ? 'another slide'
      : kept.model !== plan.model
        ? 'another model'
        : 'the same slide and model with other options';
  throw new CellrouteError(
    'RESUME_REFUSED',
    `${folder} has tiles of ${what}: pass the folder of this run, or a new one`,
    { file: path },
  );
}
