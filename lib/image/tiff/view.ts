import { type NewEntry, TAG, type TiffDirectory, type TiffFile } from './directory.js';
import { PHOTOMETRIC, type TiffLayout } from './layout.js';

/** Tags that a decoder needs, copied unchanged. */
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

/** The part of a page that a new file describes. */
export type View =
  /** All of its samples. */
  | { kind: 'whole' }
  /** Interleaved samples that are separate channels, not colours. */
  | { kind: 'channels' }
  /** Interleaved samples as one channel of a wider image, if there are more than the decoder supports. */
  | { kind: 'widened' }
  /** One of several planar samples. */
  | { kind: 'sample'; sample: number };

/**
 * Creates a file with one directory that describes a page, or a part of it, with only the tags that a decoder needs. There
 * are no unusual tags, so every warning of the decoder is about pixels. Planar samples become separate images, because
 * libvips mixes them up if a sample has several strips.
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
    // A palette applies only to whole pixels.
    if (kept && (tag !== TAG.colorMap || !alone)) entries.push({ tag, from: kept });
  }
  return file.withDirectory(entries);
}
