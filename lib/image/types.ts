/**
 * Pixels as they are: rows from the top, channels interleaved (grey; grey and alpha; RGB; RGB and alpha).
 * The type of `data` says the range: 0..255, 0..65535, or floats, which are 0..1 by torchvision's convention.
 */
export interface RawImage {
  data: Uint8Array | Uint16Array | Float32Array;
  width: number;
  height: number;
  channels: 1 | 2 | 3 | 4;
}

/** An image: an encoded PNG, JPEG, WebP or TIFF file in memory, or raw pixels. */
export type ImageInput = Uint8Array | RawImage;
