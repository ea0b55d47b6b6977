import { readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { readJson } from '../annotations/text.js';
import { CellrouteError } from '../errors.js';
import { imageEndings } from '../image/format.js';
import type { Outputs } from '../outputs.js';
import { checkEdits, type Edits, noEdits } from './edits.js';
import type { ReviewImage, ReviewSource } from './source.js';

/** Folder of the state, which readers of data sets skip because it is hidden. */
const STATE_FOLDER = '.review';
const POSITION_FILE = 'position.json';

/** Stored state of an image. */
export interface ImageState {
  /** Name of the file in the corrected data set. */
  file: string;
  /** Increases with every change. */
  revision: number;
  reviewed: boolean;
  edits: Edits;
}

/** Content of a state file. */
interface StoredState extends ImageState {
  format: 'cellroute-review';
  version: 1;
  image: string;
  /** Digest of the predictions that the edits refer to. */
  predictions: string;
}

/** The state of a review: one JSON file per image that was changed or marked, written atomically. */
export class ReviewState {
  readonly #folder: string;
  readonly #outputs: Outputs;
  readonly #images: readonly ReviewImage[];
  readonly #states: ImageState[];
  #position: number;

  private constructor(
    folder: string,
    outputs: Outputs,
    images: readonly ReviewImage[],
    states: ImageState[],
    position: number,
  ) {
    this.#folder = folder;
    this.#outputs = outputs;
    this.#images = images;
    this.#states = states;
    this.#position = position;
  }

  /**
   * Reads the state of an earlier review in a folder; without one, nothing is changed yet.
   *
   * @throws {CellrouteError} RESUME_REFUSED if it belongs to other predictions.
   */
  static async open(out: string, source: ReviewSource, outputs: Outputs): Promise<ReviewState> {
    const folder = join(out, STATE_FOLDER);
    const stored = await readStates(folder);
    const files = new Set([...stored.values()].map(({ file }) => file.toLowerCase()));
    const states: ImageState[] = [];
    for (const image of source.images) {
      const state = stored.get(image.name);
      states.push(
        state
          ? await checkState(join(folder, `${state.file}.json`), state, image, source)
          : { file: newName(image, files), revision: 0, reviewed: false, edits: noEdits() },
      );
      stored.delete(image.name);
    }
    const [lost] = stored.values();
    if (lost) {
      throw new CellrouteError(
        'RESUME_REFUSED',
        `${out} has corrections of ${lost.image}, which is not among these predictions: pass the same predictions, or another folder (--out)`,
        { file: out },
      );
    }
    const { image } = ((await readJson(join(folder, POSITION_FILE)).catch(() => undefined)) ?? {}) as {
      image?: unknown;
    };
    const at = source.images.findIndex(({ name }) => name === image);
    return new ReviewState(folder, outputs, source.images, states, Math.max(0, at));
  }

  /** Index of the image that was shown last. */
  get position(): number {
    return this.#position;
  }

  at(index: number): Readonly<ImageState> {
    return this.#states[index]!;
  }

  /** @throws {CellrouteError} FILE_UNWRITABLE */
  async setPosition(index: number): Promise<void> {
    this.#position = index;
    const image = this.#images[index]!.name;
    await this.#outputs.write(join(this.#folder, POSITION_FILE), `${JSON.stringify({ image })}\n`);
  }

  /**
   * Stores a change of an image, with the next revision.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE; the state is then unchanged.
   */
  async store(index: number, change: Pick<ImageState, 'reviewed' | 'edits'>, digest: string): Promise<void> {
    const { file, revision } = this.#states[index]!;
    const state: ImageState = { file, revision: revision + 1, ...change };
    const stored: StoredState = {
      format: 'cellroute-review',
      version: 1,
      image: this.#images[index]!.name,
      predictions: digest,
      ...state,
    };
    await this.#outputs.write(join(this.#folder, `${file}.json`), `${JSON.stringify(stored)}\n`);
    this.#states[index] = state;
  }
}

/** Stored states by the name of their image. */
async function readStates(folder: string): Promise<Map<string, StoredState>> {
  const names = await readdir(folder).catch(() => []);
  const states = new Map<string, StoredState>();
  for (const name of names.sort()) {
    if (extname(name) !== '.json' || name === POSITION_FILE) continue;
    const state = await readJson(join(folder, name));
    if (!isStoredState(state) || `${basename(state.file)}.json` !== name) {
      throw refused(join(folder, name), 'it is not the state of a review of this version');
    }
    states.set(state.image, state);
  }
  return states;
}

/** Checks all but the edits. */
function isStoredState(value: unknown): value is StoredState {
  const { format, version, image, file, predictions, revision, reviewed } = (value ??
    {}) as Partial<StoredState>;
  return (
    format === 'cellroute-review' &&
    version === 1 &&
    [image, file, predictions].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(revision) &&
    typeof reviewed === 'boolean'
  );
}

async function checkState(
  file: string,
  state: StoredState,
  image: ReviewImage,
  { classes, cellTypes }: ReviewSource,
): Promise<ImageState> {
  const predicted = await image.predictions();
  if (state.predictions !== predicted.digest) {
    throw refused(
      file,
      `${image.name} has other predictions than those that were corrected: pass these, or another folder (--out)`,
    );
  }
  try {
    const limits = { size: image.size, cells: predicted.masks.length, classes, cellTypes };
    const { revision, reviewed } = state;
    return { file: state.file, revision, reviewed, edits: checkEdits(state.edits, limits) };
  } catch (error) {
    if (!(error instanceof CellrouteError)) throw error;
    throw refused(file, error.message);
  }
}

const refused = (file: string, reason: string) =>
  new CellrouteError('RESUME_REFUSED', `${file}: ${reason}`, { file });

/** File name in the corrected data set: without folders, and unique without regard to case. */
function newName({ name, path }: ReviewImage, taken: Set<string>): string {
  const flat = name.replaceAll('/', '-');
  const own = extname(flat).toLowerCase();
  const ending = imageEndings.includes(own) ? flat.slice(-own.length) : extname(path);
  const stem = flat.endsWith(ending) ? flat.slice(0, -ending.length) : flat;
  let file = `${stem}${ending}`;
  for (let k = 2; taken.has(file.toLowerCase()); k++) file = `${stem}-${k}${ending}`;
  taken.add(file.toLowerCase());
  return file;
}
