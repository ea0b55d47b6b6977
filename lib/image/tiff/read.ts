import { indexIn, refuse } from '../../check.js';
import { checkSize } from '../limits.js';
import { cmykToRgb, interleave, pickChannels } from '../pixels.js';
import { channelsNeeded, checkAxis, resolveChannels, type Selection } from '../select.js';
import { decodePixels, greyType, type PixelType, pixelTypeOf, readMetadata, unreadable } from '../sharp.js';
import type { ImageSource, RawImage } from '../types.js';
import { companionFile, hasChannelValues } from './axes.js';
import { DamagedTiff, ENDS_EARLY, TAG, TiffFile } from './directory.js';
import { checkJpegTiles } from './jpeg-tiles.js';
import { CONVERT, JPEG, PHOTOMETRIC, type TiffLayout, unsupported } from './layout.js';
import { layoutOf, missingPlane, readPages, type TiffPage, type TiffPages } from './pages.js';
import { pixelSizeOf } from './pixel-size.js';
import { type View, viewOf } from './view.js';

/** A checked plan for decoding. Nothing has been decoded. */
export interface TiffPlan {
  file: TiffFile;
  source: ImageSource;
  /** Size of the decoded pixels in bytes. */
  bytes: number;
  width: number;
  height: number;
  /** Parts of equal size and type: one with all colours or selected samples, or one per channel. */
  parts: readonly Part[];
}

export interface Part {
  page: TiffPage;
  layout: TiffLayout;
  /** Samples that are read as channels; undefined for the colours of the image. */
  samples: readonly number[] | undefined;
}

/** sharp extracts a channel by its index below this. */
export const MAX_NAMED_CHANNELS = 4;

/** @throws {CellrouteError} for damage, for what is not read, for limits, and for a choice that is needed or wrong. */
export function planTiff(bytes: Uint8Array, selection: Selection): TiffPlan {
  try {
    const file = new TiffFile(bytes);
    return planPages(file, readPages(file), selection);
  } catch (error) {
    throw refuseDamage(error);
  }
}

/** An error of a file's directories as it is reported. */
export function refuseDamage(error: unknown): unknown {
  if (error instanceof DamagedTiff) return unreadable('TIFF', error);
  // Thrown by an array or a DataView that would be larger than the file; its message would not help.
  if (error instanceof RangeError) return unreadable('TIFF', new DamagedTiff(ENDS_EARLY, { cause: error }));
  return error;
}

/**
 * Returns the plan for decoding a file whose pages were read.
 *
 * @throws {DamagedTiff} for damage; {CellrouteError} as {@link planTiff}.
 */
export function planPages(file: TiffFile, pages: TiffPages, selection: Selection): TiffPlan {
  const { limits } = selection;
  const { axes } = pages;
  const notices: string[] = [];
  const companion = companionFile(file, file.directories[0]!);
  if (companion !== undefined) {
    notices.push(
      `it is one file of an OME data set that ${companion} describes; planes in other files are not read`,
    );
  }
  const chosen = choosePages(pages, selection, notices);
  const first = channelLayout(file, chosen.pages[0]!.page);
  if (first.isLookup) {
    notices.push(
      'its palette is the colours in which a channel is displayed; the values under them were read',
    );
  }
  const check = (layout: TiffLayout) => {
    const colours = layout.photometric === PHOTOMETRIC.palette ? 3 : layout.samples;
    const bytesPerPixel = colours * Math.max(1, layout.bits / 8);
    const { width, height } = layout;
    const encodedBytes = file.bytes.byteLength;
    checkSize({ width, height, bytesPerPixel, encodedBytes, byWindow: true }, limits);
  };
  check(first);
  const parts = chosen.pages.map(({ page, number }) => {
    const layout = channelLayout(file, page);
    check(layout);
    if (layout.width !== first.width || layout.height !== first.height || layout.bits !== first.bits) {
      throw refuse('channels', 'planes of one size and type', `page ${number}`);
    }
    return { page, layout };
  });
  const sampled = samplesOf(first, chosen.byPlane ? undefined : selection.channels, axes?.channelNames);
  if (
    chosen.pages.length > 1 &&
    (first.colours !== 1 || sampled || first.extraSamples.length > (first.alpha ? 1 : 0))
  ) {
    throw refuse('channels', 'one channel, as each has several samples', selection.channels);
  }
  const total = chosen.byPlane ? axes!.channels : channelCount(first);
  const channels = chosen.byPlane ? chosen.channels : (sampled ?? range(colourCount(first)));
  if (!chosen.byPlane && selection.channels === undefined && total > channels.length) {
    notices.push(`it has ${total} channels, of which ${channels.join(', ')} were read`);
  }
  const turned = first.orientation >= 5 && first.orientation <= 8;
  const names = axes?.channelNames;
  const pixelSize = pixelSizeOf(file, chosen.pages[0]!.page.directory);
  return {
    file,
    bytes: first.width * first.height * channels.length * Math.max(1, first.bits / 8),
    width: turned ? first.height : first.width,
    height: turned ? first.width : first.height,
    parts: parts.map((part) => ({ ...part, samples: sampled })),
    source: {
      format: 'TIFF',
      page: chosen.pages[0]!.number,
      pages: pages.planes,
      ...(axes && chosen.place),
      channels,
      sizes: { channels: total, z: axes?.z ?? 1, t: axes?.t ?? 1 },
      ...(chosen.byPlane && { channelPages: true }),
      ...(names?.some((name) => name !== '') && { channelNames: names }),
      ...(pixelSize !== undefined && { pixelSize }),
      ...(first.orientation >= 2 && first.orientation <= 8 && { orientation: first.orientation }),
      notices,
    },
  };
}

/** Layout of a page, without a palette that only displays the values of a channel. */
function channelLayout(file: TiffFile, page: TiffPage): TiffLayout {
  const layout = layoutOf(file, page);
  if (!layout.isColourPalette) return layout;
  const palette = file.numbers(page.directory, TAG.colorMap) ?? [];
  if (!hasChannelValues(file, palette)) return layout;
  return { ...layout, photometric: PHOTOMETRIC.blackIsZero, isColourPalette: false, isLookup: true };
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** Channels of the image's own colours. */
const colourCount = ({ colours, isColourPalette }: TiffLayout): number =>
  colours === 1 && !isColourPalette ? 1 : 3;

const channelCount = (layout: TiffLayout): number =>
  layout.extraSamples.length > (layout.alpha ? 1 : 0) ? layout.samples : colourCount(layout);

/** Samples that are read as channels; undefined if the colours of the image are read. */
function samplesOf(
  layout: TiffLayout,
  asked: readonly (number | string)[] | undefined,
  names: readonly string[] | undefined,
): readonly number[] | undefined {
  const total = channelCount(layout);
  const plain = total === colourCount(layout) && layout.samples - (layout.alpha ? 1 : 0) === layout.colours;
  if (asked === undefined) {
    if (plain) return undefined;
    throw channelsNeeded('TIFF', total, names);
  }
  const picks = resolveChannels(asked, total, names?.length === total ? names : undefined);
  const isWhole = plain && picks.length === total && picks.every((pick, i) => pick === i);
  return isWhole ? undefined : picks;
}

interface Chosen {
  pages: { page: TiffPage; number: number }[];
  /** Whether each channel is a separate page. */
  byPlane: boolean;
  channels: number[];
  place: { z?: number; t?: number };
}

function choosePages({ all, planes, axes }: TiffPages, selection: Selection, notices: string[]): Chosen {
  const { page, channels: asked } = selection;
  const at = (number: number) => ({ page: all[number]!, number });
  if (page !== undefined) {
    if (page >= all.length) throw refuse('page', indexIn(all.length), page);
    return { pages: [at(page)], byPlane: false, channels: [], place: {} };
  }
  if (axes?.images) {
    const { count, index } = axes.images;
    notices.push(`it describes ${count} images (series); image ${index} was read (choose with page)`);
  }
  const planeAxes = axes && axes.channels * axes.z * axes.t > 1 ? axes : undefined;
  const z = checkAxis('z', selection.z, axes?.z ?? (selection.z === 0 ? 1 : undefined));
  const t = checkAxis('t', selection.t, axes?.t ?? (selection.t === 0 ? 1 : undefined));
  if (!planeAxes) {
    const number = (axes?.images && axes.pageOf(0, 0, 0)) ?? planes[0] ?? 0;
    if (number >= all.length) throw missingPlane(`page ${number} that its description names`);
    if (planes.length > 1 && !axes?.images)
      notices.push(`it has ${planes.length} pages; page ${number} was read (choose with page)`);
    return { pages: [at(number)], byPlane: false, channels: [], place: { z, t } };
  }
  const byPlane = planeAxes.channels > 1;
  if (byPlane && asked === undefined)
    throw channelsNeeded('TIFF', planeAxes.channels, planeAxes.channelNames);
  const channels = byPlane ? resolveChannels(asked!, planeAxes.channels, planeAxes.channelNames) : [0];
  for (const [key, place] of [
    ['z', z],
    ['t', t],
  ] as const) {
    if (selection[key] === undefined && planeAxes[key] > 1) {
      notices.push(
        `it has ${planeAxes[key]} planes along ${key}; ${key} ${place} was read (choose with ${key})`,
      );
    }
  }
  const numbers = channels.map((channel) => {
    const number = planeAxes.pageOf(channel, z, t);
    if (number === undefined || number >= all.length) {
      throw missingPlane(`the plane of channel ${channel}, z ${z}, t ${t} that its description names`);
    }
    return number;
  });
  return { pages: numbers.map(at), byPlane, channels, place: { z, t } };
}

/** Decodes the pixels of a plan. */
export async function decodeTiff({ file, width, height, parts, source }: TiffPlan): Promise<RawImage> {
  const decoded: Omit<RawImage, 'source' | 'width' | 'height'>[] = [];
  for (const part of parts) decoded.push(await decodePart(file, part));
  const channels = decoded.length === 1 ? decoded[0]!.channels : (decoded.length as RawImage['channels']);
  const data = await interleave(decoded.map((one) => one.data));
  if (data.length !== width * height * channels) {
    throw unreadable('TIFF', new Error(`it has pixels for another size than ${width} × ${height}`));
  }
  return { data, width, height, channels, source };
}

async function decodePart(
  file: TiffFile,
  { page, layout, samples }: Part,
): Promise<{ data: RawImage['data']; channels: RawImage['channels'] }> {
  const view = (what: View) => viewOf(file, page.directory, layout, what, layout.orientation);
  const grey = greyType(layout.bits, layout.format === 'float');
  const join = async (channels: readonly RawImage['data'][]) => ({
    data: await interleave(channels),
    channels: channels.length as RawImage['channels'],
  });
  if (layout.bits < 8 && layout.samples > 1) {
    throw unsupported(
      `its ${layout.samples} samples have ${layout.bits} bits each`,
      CONVERT.eightBits(layout.bits),
    );
  }
  await checkJpegTiles(file, page.directory, layout);
  if (layout.planar) {
    if (layout.photometric === PHOTOMETRIC.ycbcr) {
      throw unsupported('its YCbCr samples lie one after the other', CONVERT.source);
    }
    if (layout.extraSamples[0] === 1 && layout.alpha && samples === undefined) {
      throw unsupported(
        'its colours were multiplied by alpha and lie one after the other',
        CONVERT.interleaved,
      );
    }
    const channels: RawImage['data'][] = [];
    for (const sample of samples ?? range(layout.colours)) {
      channels.push((await decodePixels(await view({ kind: 'sample', sample }), 'TIFF', grey)).data);
    }
    if (layout.photometric === PHOTOMETRIC.cmyk && samples === undefined) {
      return { data: await cmykToRgb((await interleave(channels)) as Uint8Array), channels: 3 };
    }
    return join(channels);
  }
  if (samples === undefined) {
    const bytes = await view({ kind: 'whole' });
    const type: PixelType = pixelTypeOf('TIFF', await readMetadata(bytes, 'TIFF'));
    const { data, channels } = await decodePixels(bytes, 'TIFF', type);
    if (type.space === 'cmyk') return { data: await cmykToRgb(data as Uint8Array), channels: 3 };
    return { data, channels: channels as RawImage['channels'] };
  }
  const { photometric, isColourPalette } = layout;
  if (photometric === PHOTOMETRIC.ycbcr || photometric === PHOTOMETRIC.cmyk || isColourPalette) {
    const whole = await decodePart(file, { page, layout, samples: undefined });
    return {
      data: await pickChannels(whole.data, whole.channels, samples),
      channels: samples.length as RawImage['channels'],
    };
  }
  if (samples.every((sample) => sample < MAX_NAMED_CHANNELS)) {
    const bytes = await view({ kind: 'channels' });
    const channels: RawImage['data'][] = [];
    for (const sample of samples) {
      const channel = sample as 0 | 1 | 2 | 3;
      channels.push((await decodePixels(bytes, 'TIFF', grey, { channel })).data);
    }
    return join(channels);
  }
  if (layout.predictor !== 1 || layout.compression === JPEG) {
    throw unsupported(
      `channel ${Math.max(...samples)} of its ${layout.samples} is compressed with a predictor or as JPEG`,
      CONVERT.separate,
    );
  }
  // The same bytes as one channel of a wider image, without a change of orientation.
  if (layout.orientation > 1) {
    throw unsupported(`it has ${layout.samples} channels and an orientation tag`, CONVERT.separate);
  }
  const { data } = await decodePixels(await view({ kind: 'widened' }), 'TIFF', grey);
  return {
    data: await pickChannels(data, layout.samples, samples),
    channels: samples.length as RawImage['channels'],
  };
}
