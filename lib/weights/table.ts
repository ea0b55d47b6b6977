/** Element type of a tensor in a file, with the names of safetensors. */
export type DType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

const ITEM_BYTES: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Size of one element in bytes. */
export const itemBytes = (dtype: DType): number => ITEM_BYTES[dtype];

export const isDType = (text: string): text is DType => Object.hasOwn(ITEM_BYTES, text);

/** Location of a tensor in its file. The data have not been read. */
export interface TensorEntry {
  name: string;
  dtype: DType;
  shape: number[];
  /** Stride per dimension, in elements; never negative. */
  strides: number[];
  /** Position in the file of element 0. */
  offset: number;
  /** End of the storage that contains the tensor, so that a reader can check the range again. */
  storageEnd: number;
}

/** A call in a pickle that was not executed. */
export interface Refusal {
  /** Full name of the global, such as `posix.system`. */
  what: string;
  /** Position in the file of the first such call. */
  where: number;
  /** Number of such calls. */
  times: number;
}

/** An entry of the file that is not a tensor of the state dict, with a short description. */
export interface OtherEntry {
  name: string;
  value: string;
}

/** Format of a weights file. */
export type WeightsFormat = 'torch-zip' | 'torch-legacy' | 'safetensors' | 'fastai';

/** Contents of a weights file as a table. The data of the tensors remain in the file. */
export interface WeightsFile {
  path: string;
  format: WeightsFormat;
  /** Size of the file in bytes. */
  size: number;
  /** Tensors in the file's order, with unique names. */
  tensors: TensorEntry[];
  /** Texts stored with the tensors (safetensors `__metadata__`). */
  metadata: Record<string, string>;
  /** Path of the state dict inside a nested checkpoint, such as `model.`; empty at the top level. */
  prefix: string;
  /** All other entries of the file: epochs, optimizer states, options. */
  others: OtherEntry[];
  /** Calls that were not executed. They are normal in a fastai export; openWeights refuses any other file with such calls. */
  refused: Refusal[];
  /** Data of a fastai export besides its tensors. */
  fastai?: FastaiExport;
}

/** How fastai resizes an image for its network. */
export interface FastaiResize {
  height: number;
  width: number;
  method: 'crop' | 'pad' | 'squish';
  /** Content of the border for `pad`: `zeros`, `border` or `reflection`. */
  padMode: string;
  /** Pillow's filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic. */
  resample: number;
}

/** Data of fastai's `learn.export()` for a classifier besides its tensors, as far as they are stored as data. */
export interface FastaiExport {
  /** Class names in the order of the outputs. */
  vocab: string[];
  resize?: FastaiResize;
  /** Divisor of 8-bit values before normalisation. */
  divisor?: number;
  /** Normalisation, one value per channel, for images in 0..1. */
  normalize?: { mean: number[]; std: number[] };
  /** Function that creates the network body, such as `torchvision.models.resnet.resnet18`. */
  arch?: string;
  /** Names of the other transforms in fastai's order. Most are used only in training. */
  transforms: string[];
}
