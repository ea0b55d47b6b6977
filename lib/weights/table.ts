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
}
