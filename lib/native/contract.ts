/**
 * Every function and struct of the addon, typed: the TypeScript side of native/addon.
 * Plain structs and typed arrays only; one call a picture or batch, never one a value.
 */

/**
 * Masks of one picture size, one after the other: `counts` from `offsets[i]` to `offsets[i + 1]` are mask i
 * as COCO counts (lengths of runs down the columns, the first of them background).
 */
export interface MaskBatch {
  height: number;
  width: number;
  counts: Uint32Array;
  /** One more than there are masks; starts with 0. */
  offsets: Uint32Array;
}

export interface NativeAddon {
  /** The LibTorch the addon was compiled against. */
  libtorch: string;
}
