import type { ReadableStream } from 'node:stream/web';
import type { Sharp } from 'sharp';
import type { ImageLimits } from './limits.js';

/**
 * Raw pixels: rows from the top, interleaved channels (grey; grey and alpha; RGB; RGB and alpha). The type of `data`
 * determines the range: 0..255, 0..65535, or floats, which are 0..1 by torchvision's convention.
 */
export interface RawImage {
  data: Uint8Array | Uint16Array | Float32Array;
  width: number;
  height: number;
  channels: 1 | 2 | 3 | 4;
  /** What was read from the file, if the pixels were decoded from one. */
  source?: ImageSource;
}

/** An image in memory: an encoded PNG, JPEG, WebP or TIFF file, or raw pixels. */
export type ImageContent = Uint8Array | RawImage;

/** A browser's or a canvas package's ImageData: RGBA, 8 bits per sample. */
export interface ImageDataLike {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/**
 * An image from any source:
 *
 * - a path, or a `file:` URL;
 * - a Blob or File;
 * - a web ReadableStream, a Node.js Readable or another async iterable of Uint8Array chunks;
 * - an encoded PNG, JPEG, WebP or TIFF file in a Buffer or Uint8Array;
 * - raw pixels, or an ImageData (RGBA);
 * - a sharp instance, whose pipeline is run; 16-bit samples keep 16 bits.
 */
export type ImageInput =
  | string
  | URL
  | Blob
  | AsyncIterable<Uint8Array>
  | ReadableStream<Uint8Array>
  | ImageDataLike
  | Sharp
  | ImageContent;

/** A channel by its index from 0 or its name in OME-XML, or three of them as red, green and blue. */
export type ChannelChoice = number | string | readonly (number | string)[];

/** Options for reading an image file. */
export interface ImageReadOptions {
  /** Page of a TIFF or frame of an animated WebP, from 0. Default: the first that is not a thumbnail. */
  page?: number | undefined;
  /** Plane along z, from 0, of an OME-TIFF or an ImageJ hyperstack. Default 0. */
  z?: number | undefined;
  /** Time point, from 0, of an OME-TIFF or an ImageJ hyperstack. Default 0. */
  t?: number | undefined;
  /** Channels to read. Required if the image is neither grey nor RGB. */
  channels?: ChannelChoice | undefined;
  /** Larger images are refused before memory is allocated for their pixels. */
  limits?: ImageLimits | undefined;
}

/** What was read from an image file, and what else it contains. */
export interface ImageSource {
  format: 'PNG' | 'JPEG' | 'WebP' | 'TIFF' | 'OME-Zarr';
  /** The page or frame that was read, from 0; the first of three if pages were read as channels. */
  page: number;
  /** Pages or frames of the image, without pyramid levels, thumbnails and labels. */
  pages: readonly number[];
  /** The plane and time point that were read, if the file has these axes. */
  z?: number;
  t?: number;
  /** The channels that were read, from 0: one for grey, three for RGB. */
  channels: readonly number[];
  /** Size of each axis of the file. */
  sizes: { channels: number; z: number; t: number };
  /** Whether each channel is a separate page. */
  channelPages?: boolean;
  /** Names of the channels in OME-XML; an empty string for a channel without a name. */
  channelNames?: readonly string[];
  /** Micrometres per pixel, where a TIFF's resolution tags, its OME-XML or ImageJ's description state them. */
  pixelSize?: number;
  /** EXIF orientation, 2 to 8, that was applied: width and height are those of the upright image. */
  orientation?: number;
  /** Remarks about unread parts that were not excluded by options, one sentence each. */
  notices: readonly string[];
}
