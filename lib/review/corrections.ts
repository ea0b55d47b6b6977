import { isDeepStrictEqual } from 'node:util';
import type { Outputs } from '../outputs.js';
import { applyEdits, checkEdits, type Edits, isUnchanged } from './edits.js';
import { type CorrectedImage, type CorrectedWriter, correctedWriter } from './export.js';
import type { checkReviewOptions } from './options.js';
import type { PredictedCells, ReviewSource } from './source.js';
import { type ImageState, ReviewState } from './state.js';

/** Changes made in a review. Cells are counted in the reviewed images. */
export interface ReviewSummary {
  /** Folder of the corrected data set. */
  out: string;
  /** Images that can be reviewed. */
  images: number;
  /** Images marked as reviewed, which are those of the corrected data set. */
  reviewed: number;
  /** Predicted cells that were deleted. */
  removed: number;
  /** Predicted cells with another outline or class. */
  changed: number;
  /** Cells that were drawn. */
  added: number;
  /** Images with another cell type than the predicted one. */
  retyped: number;
  /** Cells of the corrected data set. */
  cells: number;
  /** Names of images with changes that are not marked as reviewed: these are not in the corrected data set. */
  unfinished: readonly string[];
}

/** Result of saving: the new revision, or the state that another tab has saved. */
export type Saved = { revision: number } | { conflict: Readonly<ImageState> };

/** The corrections of a review: its state and the corrected data set, which follows every change. */
export class Corrections {
  readonly #source: ReviewSource;
  readonly #state: ReviewState;
  readonly #writer: CorrectedWriter;
  readonly #out: string;
  /** Reviewed images by index. */
  readonly #corrected = new Map<number, CorrectedImage>();
  /** Files that changed since the data set was written. */
  readonly #changed = new Set<string>();
  /** Changes are applied one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(source: ReviewSource, state: ReviewState, writer: CorrectedWriter, out: string) {
    this.#source = source;
    this.#state = state;
    this.#writer = writer;
    this.#out = out;
  }

  /**
   * Opens the corrections in a folder, and writes their data set if there are any.
   *
   * @throws {CellrouteError} RESUME_REFUSED, FILE_UNWRITABLE, INVALID_ARGUMENT
   */
  static async open(
    source: ReviewSource,
    { out, format, force }: ReturnType<typeof checkReviewOptions>,
    outputs: Outputs,
  ): Promise<Corrections> {
    const state = await ReviewState.open(out, source, outputs);
    const files = source.images.map((_, i) => state.at(i).file);
    const writer = correctedWriter(format, { out, outputs, classes: source.classes, files, force });
    const corrections = new Corrections(source, state, writer, out);
    for (const [index, image] of source.images.entries()) {
      if (!state.at(index).reviewed) continue;
      corrections.#set(index, state.at(index), await image.predictions());
    }
    if (corrections.#corrected.size > 0) await corrections.#write();
    return corrections;
  }

  /** Index of the image that was shown last. */
  get position(): number {
    return this.#state.position;
  }

  at(index: number): Readonly<ImageState> {
    return this.#state.at(index);
  }

  setPosition(index: number): Promise<void> {
    return this.#next(() => this.#state.setPosition(index));
  }

  /**
   * Saves the edits of an image, unless another revision than `revision` is stored with other edits: then nothing changes.
   * When this resolves, the state and the data set are on disk.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for edits that do not fit the image; FILE_UNWRITABLE
   */
  async save(index: number, change: { revision: number; reviewed: boolean; edits: unknown }): Promise<Saved> {
    const image = this.#source.images[index]!;
    const { classes, cellTypes } = this.#source;
    const predicted = await image.predictions();
    const limits = { size: image.size, cells: predicted.masks.length, classes, cellTypes };
    const edits = checkEdits(change.edits, limits);
    const { reviewed } = change;
    const corrected = this.#correctedImage(index, edits, predicted);
    return this.#next(async () => {
      const before = this.#state.at(index);
      if (before.revision === change.revision) {
        await this.#state.store(index, { reviewed, edits }, predicted.digest);
        if (reviewed || before.reviewed) this.#changed.add(before.file);
        if (reviewed) this.#corrected.set(index, corrected);
        else this.#corrected.delete(index);
      } else if (reviewed !== before.reviewed || !isDeepStrictEqual(edits, before.edits)) {
        return { conflict: before };
      }
      // Also of a change that is sent again, because its answer was lost or the data set could not be written.
      if (this.#changed.size > 0) await this.#write();
      return { revision: this.#state.at(index).revision };
    });
  }

  summary(): ReviewSummary {
    const states = this.#source.images.map((_, i) => this.#state.at(i));
    const reviewed = states.filter((state) => state.reviewed);
    const total = (count: (edits: Edits) => number) =>
      reviewed.reduce((sum, { edits }) => sum + count(edits), 0);
    return {
      out: this.#out,
      images: states.length,
      reviewed: reviewed.length,
      removed: total(({ removed }) => removed.length),
      changed: total(({ changed }) => changed.length),
      added: total(({ added }) => added.length),
      retyped: total(({ cellType }) => Number(cellType !== undefined)),
      cells: [...this.#corrected.values()].reduce((sum, { masks }) => sum + masks.length, 0),
      unfinished: this.#source.images.flatMap(({ name }, i) =>
        states[i]!.reviewed || isUnchanged(states[i]!.edits) ? [] : [name],
      ),
    };
  }

  /**
   * Resolves when all changes so far are on disk.
   *
   * @throws {CellrouteError} FILE_UNWRITABLE
   */
  settled(): Promise<void> {
    return this.#next(async () => {
      if (this.#changed.size > 0) await this.#write();
    });
  }

  #next<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.catch(() => undefined).then(action);
    this.#turn = result;
    return result;
  }

  #correctedImage(index: number, edits: Edits, predicted: PredictedCells): CorrectedImage {
    const { path, cellType } = this.#source.images[index]!;
    return {
      file: this.#state.at(index).file,
      path,
      cellType: edits.cellType ?? cellType,
      ...applyEdits(predicted, edits, this.#source.classes),
    };
  }

  #set(index: number, { edits, file }: Readonly<ImageState>, predicted: PredictedCells): void {
    this.#corrected.set(index, this.#correctedImage(index, edits, predicted));
    this.#changed.add(file);
  }

  async #write(): Promise<void> {
    const images = [...this.#corrected].sort(([a], [b]) => a - b).map(([, image]) => image);
    await this.#writer.write(images, this.#changed);
    this.#changed.clear();
  }
}
