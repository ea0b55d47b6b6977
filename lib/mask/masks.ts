// Not instanceof: arrays may come from another realm (the addon under Jest, a vm context).
import { types } from 'node:util';
import { checkKeys, checkNumber, checkObject, isDetached, refuse } from '../check.js';
import type { MaskBatch } from '../native/contract.js';
import { call, native } from '../native/load.js';
import { type BoxArray, fromCocoBoxes } from './boxes.js';
import { Contours } from './contours.js';
import { joinCounts, joinPolygons, joinTexts, reserve } from './join.js';

/** Size of an image in pixels: at least 1 × 1, at most 2^32 - 1 pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** A run of `length` pixels in row `y`, starting at column `x`. */
export interface RowRun {
  x: number;
  y: number;
  length: number;
}

export type { MaskBatch };

/** Options of {@link Masks.iou}. */
export interface IouOptions {
  /**
   * Flag per mask of the other set: true for a crowd, a region with many cells. Its IoU with a mask is then the share of
   * that mask inside the region, as in COCO.
   */
  crowd?: ArrayLike<boolean | number> | undefined;
}

/** Options of {@link Masks.removeOverlaps}. */
export interface RemoveOverlapsOptions {
  /** Share of its pixels, 0 to 1, that a mask may lose to masks before it. A mask that loses more is dropped. */
  maxLost: number;
}

/** Masks as plain data. */
export interface MasksJson {
  width: number;
  height: number;
  /** COCO's compressed string of each mask. */
  counts: string[];
}

const MAX_PIXELS = 2 ** 32 - 1;

/**
 * Masks of one image size, run-length encoded. A set is immutable and keeps its order. The runs are typed arrays; an
 * array of the size of the image is created only by {@link decode} and {@link toLabels}.
 *
 * The caller names the text format; it is never guessed. Kaggle's "start length" counts from 1, row by row. COCO's counts
 * and compressed strings run down the columns. A malformed mask is refused with code `RLE_MALFORMED`;
 * `details.position` is the index of the character or count.
 */
export class Masks implements Iterable<Masks> {
  readonly #batch: MaskBatch;
  /** The same arrays in a form that `structuredClone` copies; see reviveResult. @internal */
  readonly batch: MaskBatch;

  private constructor(batch: MaskBatch) {
    this.#batch = batch;
    this.batch = batch;
  }

  /**
   * Masks from pixels.
   *
   * @param pixels one byte per pixel in rows, one image of `width * height` bytes per mask; every byte but 0 belongs to
   *   the mask.
   * @param options.count number of masks. Default: as many as the bytes hold.
   * @throws {CellrouteError} INVALID_ARGUMENT where the bytes are not a whole number of images; OUT_OF_MEMORY.
   */
  static encode(pixels: Uint8Array | Uint8ClampedArray, options: ImageSize & { count?: number }): Masks {
    if (!(types.isUint8Array(pixels) || types.isUint8ClampedArray(pixels)) || isDetached(pixels)) {
      throw refuse('pixels', 'a Uint8Array', pixels);
    }
    const { width, height } = checkSize(options, ['count']);
    const one = width * height;
    const count =
      options.count === undefined
        ? Math.floor(pixels.length / one)
        : checkNumber('count', options.count, { min: 0, integer: true });
    if (pixels.length !== count * one) {
      throw refuse('pixels', `${one} bytes for each mask of ${width} x ${height} pixels`, pixels);
    }
    const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length);
    return new Masks(call(() => native().maskEncode(bytes, height, width)));
  }

  /**
   * Masks from Kaggle's run-length encoding.
   *
   * ```ts
   * const masks = Masks.fromKaggle(['1 3 10 2'], { width: 704, height: 520 });
   * ```
   *
   * @param texts "start length start length …" per mask, in pixels counted from 1 along the rows. An empty text is an
   *   empty mask.
   * @throws {CellrouteError} RLE_MALFORMED with the position of the character; INVALID_ARGUMENT.
   */
  static fromKaggle(texts: readonly string[], size: ImageSize): Masks {
    const { width, height } = checkSize(size);
    const { joined, lengths } = joinTexts(texts);
    return new Masks(call(() => native().maskFromKaggle(joined, lengths, height, width)));
  }

  /**
   * Masks from COCO's compressed run-length encoding.
   *
   * @param texts the string `counts` of an annotation, per mask.
   * @throws {CellrouteError} RLE_MALFORMED with the position of the character; INVALID_ARGUMENT, OUT_OF_MEMORY.
   */
  static fromCoco(texts: readonly string[], size: ImageSize): Masks {
    const { width, height } = checkSize(size);
    const { joined, lengths, characters } = joinTexts(texts);
    const counts = reserve(() => new Uint32Array(characters));
    const offsets = call(() => native().maskFromCoco(joined, lengths, height, width, counts));
    const used = offsets.at(-1)!;
    // A copy takes as long as the parsing, so unused memory is kept if it is less than half.
    const own = used < characters / 2 ? counts.slice(0, used) : counts.subarray(0, used);
    return new Masks({ height, width, counts: own, offsets });
  }

  /**
   * Masks from COCO's uncompressed run-length encoding.
   *
   * @param counts lengths of the runs down the columns per mask, background first. Their sum is `width * height`; runs
   *   of length 0 are allowed and vanish.
   * @throws {CellrouteError} RLE_MALFORMED with the index of the count; INVALID_ARGUMENT, OUT_OF_MEMORY.
   */
  static fromCounts(counts: readonly ArrayLike<number>[], size: ImageSize): Masks {
    const { width, height } = checkSize(size);
    if (!Array.isArray(counts)) throw refuse('counts', 'an array of arrays of numbers', counts);
    const { joined, offsets } = joinCounts(counts);
    return new Masks(call(() => native().maskFromCounts(joined, offsets, height, width)));
  }

  /**
   * Rasterizes polygons: per mask, one or more flat arrays x, y, x, y, … in pixels, as COCO's `segmentation`. The pixels are
   * exactly those of pycocotools' `frPyObjects` and `merge`. Polygons are clipped to the image.
   *
   * @param masks per mask a list of polygons.
   * @throws {CellrouteError} INVALID_ARGUMENT for a polygon of fewer than three corners, or values that are not finite.
   */
  static fromPolygons(masks: readonly (readonly ArrayLike<number>[])[], size: ImageSize): Masks {
    const { width, height } = checkSize(size);
    const { points, polygons, offsets } = joinPolygons(masks);
    return new Masks(call(() => native().maskFromPolygons(points, polygons, offsets, height, width)));
  }

  /**
   * One mask for every value but 0 in a label image, by ascending value.
   *
   * @param labels one value per pixel in rows, `width * height` values.
   * @returns the masks, and in `ids` the value that each of them had.
   * @throws {CellrouteError} INVALID_ARGUMENT for another number of values; OUT_OF_MEMORY.
   */
  static fromLabels(
    labels: Uint8Array | Uint16Array | Uint32Array,
    size: ImageSize,
  ): { masks: Masks; ids: Uint32Array } {
    const { width, height } = checkSize(size);
    if (!(types.isUint8Array(labels) || types.isUint16Array(labels) || types.isUint32Array(labels))) {
      throw refuse('labels', 'a Uint8Array, Uint16Array or Uint32Array', labels);
    }
    if (labels.length !== width * height) {
      throw refuse('labels', `${width * height} labels for ${width} x ${height} pixels`, labels);
    }
    const { masks, ids } = call(() => native().maskFromLabels(labels, height, width));
    return { masks: new Masks(masks), ids };
  }

  /**
   * Masks from a batch, which is checked completely and copied.
   *
   * @param batch what {@link toBatch} gave, perhaps in another thread.
   * @throws {CellrouteError} INVALID_ARGUMENT, RLE_MALFORMED.
   */
  static fromBatch(batch: MaskBatch): Masks {
    checkObject('batch', batch);
    const { height, width, counts, offsets } = batch;
    for (const [name, array] of Object.entries({ counts, offsets })) {
      if (!types.isUint32Array(array) || isDetached(array)) {
        throw refuse(`batch.${name}`, 'a Uint32Array', array);
      }
    }
    const copy = { ...checkSize({ height, width }), counts: counts.slice(), offsets: offsets.slice() };
    call(() => native().maskValidate(copy));
    return new Masks(copy);
  }

  /** Uses a valid batch from native code without a copy. @internal */
  static adopt(batch: MaskBatch): Masks {
    return new Masks(batch);
  }

  /** Number of masks. */
  get length(): number {
    return this.#batch.offsets.length - 1;
  }

  /** Width of the image in pixels. */
  get width(): number {
    return this.#batch.width;
  }

  /** Height of the image in pixels. */
  get height(): number {
    return this.#batch.height;
  }

  /** The number of pixels of each mask. */
  areas(): Uint32Array {
    return call(() => native().maskAreas(this.#batch));
  }

  /** Bounding box of each mask: x1, y1, x2, y2 in pixels. Zeros for an empty mask. */
  boxes(): BoxArray<Float64Array> {
    return fromCocoBoxes(call(() => native().maskBoxes(this.#batch)));
  }

  /** Kaggle's run-length encoding of each mask: "start length …", counted from 1 along the rows; empty for an empty mask. */
  toKaggle(): string[] {
    return call(() => native().maskToKaggle(this.#batch));
  }

  /** COCO's compressed run-length encoding of each mask: the string `counts` of an annotation. */
  toCoco(): string[] {
    return call(() => native().maskToCoco(this.#batch));
  }

  /** COCO's uncompressed run-length encoding of each mask: lengths of the runs down the columns, background first. */
  toCounts(): Uint32Array[] {
    const { counts, offsets } = this.#batch;
    return Array.from({ length: this.length }, (_, i) => counts.slice(offsets[i], offsets[i + 1]));
  }

  /** Returns the masks as plain data with COCO's compressed strings. `JSON.stringify` calls it; {@link fromCoco} reads the counts. */
  toJSON(): MasksJson {
    return { width: this.width, height: this.height, counts: this.toCoco() };
  }

  /** Copies the arrays of this set, for storage or for another thread. {@link fromBatch} reads them. */
  toBatch(): MaskBatch {
    const { counts, offsets, ...size } = this.#batch;
    return { ...size, counts: counts.slice(), offsets: offsets.slice() };
  }

  /**
   * Pixels in rows, 1 inside the mask and 0 outside.
   *
   * @param index of one mask, from 0. Default: all masks, one image of `width * height` bytes after the other.
   * @throws {CellrouteError} INVALID_ARGUMENT for an index that does not exist; OUT_OF_MEMORY.
   */
  decode(index?: number): Uint8Array {
    const batch = index === undefined ? this.#batch : this.#only(index);
    const bytes = (batch.offsets.length - 1) * this.width * this.height;
    const pixels = reserve(() => new Uint8Array(bytes));
    call(() => native().maskDecode(batch, pixels));
    return pixels;
  }

  /**
   * Intersection over union of every mask of this set with every mask of another one. Large sets are compared on
   * several threads.
   *
   * ```ts
   * const iou = found.iou(groundTruth);
   * iou[2 * groundTruth.length + 5]; // of found mask 2 and mask 5 of the ground truth, 0 to 1
   * ```
   *
   * @param other masks of the same image size.
   * @returns `length * other.length` values, 0 to 1, row by row; 0 where two masks share no pixel.
   * @throws {CellrouteError} INVALID_ARGUMENT for masks of another size; OUT_OF_MEMORY.
   */
  iou(other: Masks, options: IouOptions = {}): Float64Array {
    if (!(other instanceof Masks)) throw refuse('other', 'Masks', other);
    if (other.width !== this.width || other.height !== this.height) {
      throw refuse('other', `masks of ${sizeName(this)} pixels`, `masks of ${sizeName(other)} pixels`);
    }
    checkKeys('', checkObject('options', options), ['crowd']);
    const crowd = crowdFlags(options.crowd, other.length);
    const matrix = reserve(() => new Float64Array(this.length * other.length));
    call(() => native().maskIou(this.#batch, other.#batch, crowd, matrix));
    return matrix;
  }

  /** Returns the union as a set with one mask. It has no pixels if the set is empty. */
  union(): Masks {
    return new Masks(call(() => native().maskUnion(this.#batch)));
  }

  /** Returns the intersection as a set with one mask. It is the whole image if the set is empty. */
  intersection(): Masks {
    return new Masks(call(() => native().maskIntersection(this.#batch)));
  }

  /**
   * Assigns each pixel to the first mask that contains it, so the masks should be in descending order of score. A mask
   * that loses more than the share `maxLost` of its pixels is dropped, and its pixels are free for the masks after it.
   *
   * @returns the masks that remain, and in `kept` the index of each of them in this set, ascending.
   * @throws {CellrouteError} INVALID_ARGUMENT
   */
  removeOverlaps(options: RemoveOverlapsOptions): { masks: Masks; kept: Uint32Array } {
    checkKeys('', checkObject('options', options), ['maxLost']);
    const maxLost = checkNumber('maxLost', options.maxLost, { min: 0, max: 1 });
    const { masks, kept } = call(() => native().maskRemoveOverlaps(this.#batch, maxLost));
    return { masks: new Masks(masks), kept };
  }

  /**
   * A label image: `width * height` values in rows, 0 for the background and k for mask k, counted from 1. The first mask
   * keeps a pixel that several have.
   *
   * @throws {CellrouteError} OUT_OF_MEMORY
   */
  toLabels(): Uint32Array {
    const labels = reserve(() => new Uint32Array(this.width * this.height));
    call(() => native().maskToLabels(this.#batch, labels));
    return labels;
  }

  /**
   * {@link toLabels} in 16 bits, for up to 65,535 masks.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for more masks; OUT_OF_MEMORY.
   */
  toLabels16(): Uint16Array {
    if (this.length > 65_535) throw refuse('masks', 'at most 65535 masks', this.length);
    const labels = reserve(() => new Uint16Array(this.width * this.height));
    call(() => native().maskToLabels(this.#batch, labels));
    return labels;
  }

  /**
   * Outlines along the sides of the pixels, with holes.
   *
   * ```ts
   * const [first] = masks.contours().polygons(0); // [outer ring, ...holes], rings of [x, y]
   * ```
   */
  contours(): Contours {
    return new Contours(call(() => native().maskContours(this.#batch)));
  }

  /**
   * The masks with these indices, in this order. An index may occur several times.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT for an index that does not exist.
   */
  select(indices: ArrayLike<number>): Masks {
    if (typeof indices !== 'object' || indices === null || !Number.isInteger(indices.length)) {
      throw refuse('indices', 'an array of indices', indices);
    }
    const { counts, offsets } = this.#batch;
    const selected = new Uint32Array(indices.length + 1);
    for (let i = 0; i < indices.length; i++) {
      const index = this.#check(indices[i], `indices[${i}]`);
      selected[i + 1] = selected[i]! + offsets[index + 1]! - offsets[index]!;
    }
    const copy = new Uint32Array(selected.at(-1)!);
    for (let i = 0; i < indices.length; i++) {
      copy.set(counts.subarray(offsets[indices[i]!], offsets[indices[i]! + 1]), selected[i]);
    }
    return new Masks({ height: this.height, width: this.width, counts: copy, offsets: selected });
  }

  /**
   * The runs of a mask within rows, from top to bottom and left to right.
   *
   * @param index of the mask, from 0.
   * @throws {CellrouteError} INVALID_ARGUMENT for an index that does not exist.
   */
  *runs(index: number): IterableIterator<RowRun> {
    const runs = call(() => native().maskRowRuns(this.#only(index)));
    for (let i = 0; i < runs.length; i += 3) yield { x: runs[i]!, y: runs[i + 1]!, length: runs[i + 2]! };
  }

  /** Iterates over the masks, each as a set with one mask. */
  *[Symbol.iterator](): IterableIterator<Masks> {
    for (let i = 0; i < this.length; i++) yield new Masks(this.#only(i));
  }

  /** A view of one mask: no copy, and no check of the others. */
  #only(index: number): MaskBatch {
    const { height, width, counts, offsets } = this.#batch;
    const i = this.#check(index, 'index');
    const own = counts.subarray(offsets[i], offsets[i + 1]);
    return { height, width, counts: own, offsets: Uint32Array.of(0, own.length) };
  }

  #check(index: unknown, option: string): number {
    if (this.length === 0) throw refuse(option, 'no index, as there are no masks', index);
    return checkNumber(option, index, { min: 0, max: this.length - 1, integer: true });
  }
}

function checkSize(size: ImageSize, otherKeys: string[] = []): ImageSize {
  checkKeys('', checkObject('size', size), ['width', 'height', ...otherKeys]);
  const width = checkNumber('width', size.width, { min: 1, max: MAX_PIXELS, integer: true });
  const height = checkNumber('height', size.height, { min: 1, max: MAX_PIXELS, integer: true });
  if (width * height > MAX_PIXELS) {
    throw refuse('size', `at most ${MAX_PIXELS} pixels`, `${width} x ${height}`);
  }
  return { width, height };
}

const sizeName = ({ width, height }: ImageSize) => `${width} x ${height}`;

function crowdFlags(crowd: unknown, length: number): Uint8Array {
  if (crowd === undefined) return new Uint8Array(0);
  const flags = crowd as ArrayLike<unknown>;
  if (typeof crowd !== 'object' || crowd === null || flags.length !== length) {
    throw refuse('crowd', `an array of ${length} flags`, crowd);
  }
  return Uint8Array.from(flags, (flag) => (flag ? 1 : 0));
}
