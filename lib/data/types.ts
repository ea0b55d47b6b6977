import type { SignalOptions } from '../abort.js';
import type { DataProblem } from '../annotations/problems.js';
import type { ImageContent } from '../image/types.js';
import type { Masks } from '../mask/masks.js';

/** The loaded data of one image of a data set. */
export interface LoadedItem {
  image: ImageContent;
  /** One mask per cell, with the size of the image. */
  masks: Masks;
  /** Class of each cell, 1 to the number of classes. */
  labels: Int32Array;
}

/** One image of a data set with its ground truth. Nothing is decoded before `load`. */
export interface DatasetItem {
  /** Unique in its data set, and the same on every machine. */
  readonly id: string;
  /** The cell type that the router is trained to predict, if the data set states one. */
  readonly cellType: string | undefined;
  /** Further columns of the source by name, such as plate or fold, for splits. */
  readonly columns: Readonly<Record<string, string>>;
  readonly width: number;
  readonly height: number;
  /** Number of cells for training. */
  readonly cells: number;
  /**
   * Whether the image has only a cell type and no annotated cells, as in class folders. Such images can only be used to train
   * a classifier. Default false.
   */
  readonly typeOnly?: boolean;
  /** Area of each cell in pixels, if it is known before `load`; used by the data set's summary. */
  readonly areas?: Uint32Array;
  /** Factor by which segmenters see the image larger, as the option `scale` of `segment`. Default 1. */
  readonly scale?: number | undefined;
  /** Reads the image and its ground truth. */
  load(options?: SignalOptions): Promise<LoadedItem>;
}

/** Contents of a data set, for functions that describe it. */
export interface DatasetContents {
  readonly items: readonly DatasetItem[];
  readonly classNames: readonly string[];
  readonly cellTypes: readonly string[];
  readonly problems: readonly DataProblem[];
  readonly notices: readonly DataProblem[];
}

/** Samples for native code. */
export type {
  NativeClassifySample as ClassifySample,
  NativeTrainSample as TrainSample,
} from '../native/contract.js';

/** Samples of one step, and the ids of their items. */
export interface Batch<Sample> {
  samples: Sample[];
  ids: string[];
  /** Notices about the images. Each is reported once per loader, with the first image that it applies to. */
  notices: string[];
}
