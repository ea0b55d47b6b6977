import { type NewEntry, TAG, type TiffDirectory, type TiffFile } from './directory.js';
import { PHOTOMETRIC, type TiffLayout } from './layout.js';

/** Tags that a decoder needs and that stay as they are. */
const keptTags = [
  TAG.fillOrder,
  TAG.t4Options,
  TAG.t6Options,
  TAG.colorMap,
  TAG.jpegTables,
  TAG.ycbcrCoefficients,
  TAG.ycbcrSubsampling,
  TAG.ycbcrPositioning,
  TAG.referenceBlackWhite,
] as const;

/** What of a page a file is made of. */
export type View =
  /** All of its samples. */
  | { kind: 'whole' }
  /** Interleaved samples that are channels of their own: nothing of them is a colour. */
  | { kind: 'channels' }
  /** The same as one channel of a wider image: for more of them than the decoder can name. */
  | { kind: 'widened' }
  /** One of the samples that lie one after the other. */
  | { kind: 'sample'; sample: number };

/**
 * A file with one directory that describes a page, or a part of it, by nothing but what a decoder needs. Odd tags are
 * gone, so that every warning of the decoder is about the pixels; samples that lie one after the other, which libvips
 * mixes up where a sample has several strips, are images of their own.
 */
export async function viewOf(
  file: TiffFile,
  directory: TiffDirectory,
  layout: TiffLayout,
  view: View,
  orientation: number,
): Promise<Uint8Array> {
  const { offsets, byteCounts, tile, rowsPerStrip } = layout;
  const one = view.kind === 'sample' || view.kind === 'widened';
  const samples = one ? 1 : layout.samples;
  const widen = view.kind === 'widened' ? layout.samples : 1;
  const perPlane = layout.planar ? offsets.length / layout.samples : offsets.length;
  const from = view.kind === 'sample' ? view.sample * perPlane : 0;
  const to = view.kind === 'sample' ? from + perPlane : offsets.length;
  const alone = view.kind !== 'whole';
  const entries: NewEntry[] = [
    { tag: TAG.width, values: [layout.width * widen] },
    { tag: TAG.height, values: [layout.height] },
    { tag: TAG.bitsPerSample, values: new Array<number>(samples).fill(layout.bits) },
    { tag: TAG.compression, values: [layout.compression] },
    {
      tag: TAG.photometric,
      values: [
        alone && layout.photometric !== PHOTOMETRIC.whiteIsZero
          ? PHOTOMETRIC.blackIsZero
          : layout.photometric,
      ],
    },
    { tag: TAG.orientation, values: [orientation] },
    { tag: TAG.samplesPerPixel, values: [samples] },
    { tag: TAG.planar, values: [1] },
    { tag: TAG.predictor, values: [layout.predictor] },
    {
      tag: TAG.sampleFormat,
      values: new Array<number>(samples).fill(layout.format === 'float' ? 3 : 1),
    },
    ...(tile
      ? [
          { tag: TAG.tileWidth, values: [tile.width * widen] },
          { tag: TAG.tileHeight, values: [tile.height] },
          { tag: TAG.tileOffsets, values: offsets.slice(from, to) },
          { tag: TAG.tileByteCounts, values: byteCounts.slice(from, to) },
        ]
      : [
          { tag: TAG.rowsPerStrip, values: [rowsPerStrip] },
          { tag: TAG.stripOffsets, values: offsets.slice(from, to) },
          { tag: TAG.stripByteCounts, values: byteCounts.slice(from, to) },
        ]),
  ];
  const extra = view.kind === 'channels' ? new Array<number>(samples - 1).fill(0) : layout.extraSamples;
  if (!one && extra.length > 0) entries.push({ tag: TAG.extraSamples, values: extra });
  for (const tag of keptTags) {
    const kept = directory.get(tag);
    // A palette is of whole pixels.
    if (kept && (tag !== TAG.colorMap || !alone)) entries.push({ tag, from: kept });
  }
  return file.withDirectory(entries);
}
