/** Element types a tensor in a file may have; the names are safetensors'. */
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

/** Bytes of one element. */
export const itemBytes = (dtype: DType): number => ITEM_BYTES[dtype];

export const isDType = (text: string): text is DType => Object.hasOwn(ITEM_BYTES, text);

/** Where one tensor lies in its file. Nothing of it has been read. */
export interface TensorEntry {
  name: string;
  dtype: DType;
  shape: number[];
  /** Steps between neighbours, in elements; never negative. */
  strides: number[];
  /** Byte in the file of element 0. */
  offset: number;
  /** First byte past the storage the tensor lies in, so that a reader can check the range again. */
  storageEnd: number;
}

/** A call that a pickle asked for and that was not made. */
export interface Refusal {
  /** The global's full name, such as `posix.system`. */
  what: string;
  /** Byte in the file of the first such call. */
  where: number;
  /** How often it was asked for. */
  times: number;
}

/** Something in the file that is not a tensor of the state dict, said in a few words. */
export interface OtherEntry {
  name: string;
  value: string;
}

/** Format of a weights file. */
export type WeightsFormat = 'torch-zip' | 'torch-legacy' | 'safetensors' | 'fastai';

/** What a file of weights holds, as a table: the tensors' data stays in the file. */
export interface WeightsFile {
  path: string;
  format: WeightsFormat;
  /** Bytes of the whole file. */
  size: number;
  /** In the file's order; names are unique. */
  tensors: TensorEntry[];
  /** Texts stored beside the tensors (safetensors `__metadata__`). */
  metadata: Record<string, string>;
  /** Where the state dict was found in a nested checkpoint, such as `model.`; empty at the top. */
  prefix: string;
  /** Whatever else is in the file: epochs, optimiser states, options. */
  others: OtherEntry[];
  /** Calls that were not made: expected in a fastai export, a reason for openWeights to refuse any other file. */
  refused: Refusal[];
  /** What a fastai export says beside its tensors. */
  fastai?: FastaiExport;
}

/** How fastai brings an image to its network's size. */
export interface FastaiResize {
  height: number;
  width: number;
  method: 'crop' | 'pad' | 'squish';
  /** What fills the border under `pad`: `zeros`, `border` or `reflection`. */
  padMode: string;
  /** Pillow's filter for images: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic. */
  resample: number;
}

/** What fastai's `learn.export()` keeps of a classifier beside its tensors, as far as it is stored as data. */
export interface FastaiExport {
  /** Class names by index. */
  vocab: string[];
  resize?: FastaiResize;
  /** What 8-bit values are divided by before they are normalised. */
  divisor?: number;
  /** One value a channel, of images in 0 to 1. */
  normalize?: { mean: number[]; std: number[] };
  /** The function that made the body, such as `torchvision.models.resnet.resnet18`. */
  arch?: string;
  /** Names of the other transforms, in fastai's order; most of them act in training only. */
  transforms: string[];
}
