import { TAG, type TiffDirectory, type TiffEntry, type TiffFile } from './directory.js';

/** Axes of a file's planes. */
export interface TiffAxes {
  channels: number;
  z: number;
  t: number;
  channelNames?: readonly string[];
  /** Number of images of an OME-TIFF, and the index of the one that these axes are of. Default: one image. */
  images?: { count: number; index: number };
  /** Page of a plane; undefined if the file does not contain it. */
  pageOf(channel: number, z: number, t: number): number | undefined;
}

/** Maximum number of planes, because a description may state any number. */
export const MAX_PLANES = 1_000_000;

/** Reads the axes from the first page's description, as written by OME-XML, ImageJ or tifffile. */
export function readAxes(file: TiffFile, directory: TiffDirectory): TiffAxes | undefined {
  const text = file.text(directory, TAG.description);
  if (/^ImageJ=/.test(text)) return imageJAxes(text);
  if (/<OME[\s>]/.test(text) || /<[a-z]+:OME[\s>]/i.test(text)) return omeAxes(omeImageOf(file, directory));
  if (text.startsWith('{')) return shapedAxes(text);
  return undefined;
}

/** Whether a file's description says that pixels are the values of a channel, so that a palette is only for display. */
export function hasChannelValues(file: TiffFile, palette: readonly number[]): boolean {
  const text = file.text(file.directories[0]!, TAG.description);
  if (/<(?:\w+:)?OME[\s>]/.test(text)) return true;
  // ImageJ also writes images of indexed colours, whose palette has no order.
  return /^ImageJ=/.test(text) && isRamp(palette);
}

/** Whether a palette, with red, green and blue one after the other, gets brighter from each entry to the next. */
function isRamp(palette: readonly number[]): boolean {
  const length = palette.length / 3;
  const brightness = (i: number) => palette[i]! + palette[length + i]! + palette[2 * length + i]!;
  for (let i = 1; i < length; i++) if (brightness(i) < brightness(i - 1)) return false;
  return true;
}

/** Number of planes of a directory: stacks of ImageJ, MetaMorph and tifffile follow its pixels. */
export function planesInDirectory(file: TiffFile, directory: TiffDirectory): number {
  const stack = directory.get(TAG.uic2);
  if (stack) return stack.count;
  const text = file.text(directory, TAG.description);
  if (/^ImageJ=/.test(text)) return wholeNumber(imageJFields(text).get('images')) ?? 1;
  const shaped = text.startsWith('{') ? parseShaped(text) : undefined;
  if (!shaped?.truncated) return 1;
  const samples = file.number(directory, TAG.samplesPerPixel) ?? 1;
  const values = shaped.shape.reduce((product, length) => product * length, 1);
  const plane =
    (file.number(directory, TAG.width) ?? 0) * (file.number(directory, TAG.height) ?? 0) * samples;
  return Number.isSafeInteger(values / plane) ? values / plane : 1;
}

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,9}$/.test(text) && Number(text) >= 1 ? Number(text) : undefined;

export function imageJFields(text: string): Map<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const];
    }),
  );
}

/** ImageJ's order: channels vary fastest, then slices, then frames. */
function imageJAxes(text: string): TiffAxes {
  const fields = imageJFields(text);
  const images = wholeNumber(fields.get('images')) ?? 1;
  const size = (key: string) => wholeNumber(fields.get(key)) ?? 1;
  const [channels, t] = [size('channels'), size('frames')];
  let z = size('slices');
  // A stack without axes is a stack of slices, as in ImageJ.
  if (channels * z * t !== images) {
    if (channels * z * t > 1) return ordered('CZT', { C: channels, Z: z, T: t });
    z = images;
  }
  return ordered('CZT', { C: channels, Z: z, T: t });
}

interface Sizes {
  C: number;
  Z: number;
  T: number;
}

/** Axes of planes in a regular order, fastest axis first. */
function ordered(order: string, sizes: Sizes, channelNames?: readonly string[]): TiffAxes {
  const steps: Record<string, number> = {};
  let step = 1;
  for (const axis of order) {
    steps[axis] = step;
    step *= sizes[axis as keyof Sizes];
  }
  return {
    channels: sizes.C,
    z: sizes.Z,
    t: sizes.T,
    ...(channelNames && { channelNames }),
    pageOf: (c, z, t) => c * steps.C! + z * steps.Z! + t * steps.T!,
  };
}

/** Attributes of a start tag, with XML entities decoded. */
function attributes(tag: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name, double, single] of tag.matchAll(/\s([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    found.set(name!, unescaped(double ?? single ?? ''));
  }
  return found;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const unescaped = (text: string): string =>
  // Most have none, and there may be a million.
  !text.includes('&')
    ? text
    : text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{1,8}));/gi, (all, decimal, hex, name) => {
        if (name !== undefined) return entities[name] ?? all;
        const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
        return code <= 0x10ffff ? String.fromCodePoint(code) : all;
      });

interface XmlTag {
  /** Name without namespace; with a leading slash for an end tag. */
  name: string;
  attributes: Map<string, string>;
  /** Text between this tag and the next. */
  text: string;
}

/**
 * Yields the tags with one of these names of an XML text without comments, in linear time for any text. Others are passed by:
 * metadata of a microscope may have a hundred thousand.
 */
function* xmlTags(xml: string, ...names: readonly string[]): Iterable<XmlTag> {
  const pattern = new RegExp(`<!--|<(/?)(?:\\w+:)?(${names.join('|')})(\\s[^<>]*|/)?>`, 'g');
  for (let match = pattern.exec(xml); match; match = pattern.exec(xml)) {
    if (match[0] === '<!--') {
      const end = xml.indexOf('-->', pattern.lastIndex);
      if (end < 0) return;
      pattern.lastIndex = end + 3;
      continue;
    }
    const next = xml.indexOf('<', pattern.lastIndex);
    yield {
      name: `${match[1]}${match[2]}`,
      attributes: attributes(match[3] ?? ''),
      text: xml.slice(pattern.lastIndex, next < 0 ? undefined : next),
    };
  }
}

export interface OmePixels {
  fields: Map<string, string>;
  channels: Map<string, string>[];
  /** TiffData elements, with the UUID of their file. */
  data: { fields: Map<string, string>; uuid?: string }[];
  /** UUID of this file. */
  uuid?: string;
}

/** The image of an OME-TIFF that is read, and how many it describes. */
export interface OmeImage {
  pixels: OmePixels;
  count: number;
  index: number;
}

const omeImages = new WeakMap<TiffEntry, OmeImage | undefined>();

/** The image of a directory's OME-XML, which is parsed once. */
export function omeImageOf(file: TiffFile, directory: TiffDirectory): OmeImage | undefined {
  const entry = directory.get(TAG.description);
  if (!entry) return undefined;
  if (!omeImages.has(entry)) omeImages.set(entry, omeImage(file.text(directory, TAG.description)));
  return omeImages.get(entry);
}

/**
 * Reads the Pixels with their Channel and TiffData elements of the first image that has planes in this file: in a data set of
 * several files, each file describes the images of all.
 */
function omeImage(xml: string): OmeImage | undefined {
  let uuid: string | undefined;
  let pixels: OmePixels | undefined;
  let found: Omit<OmeImage, 'count'> | undefined;
  let count = 0;
  const end = () => {
    if (pixels && (!found || (!isInFile(found.pixels) && isInFile(pixels)))) {
      found = { pixels, index: count - 1 };
    }
    pixels = undefined;
  };
  for (const tag of xmlTags(xml, 'OME', 'Pixels', 'Channel', 'TiffData', 'UUID')) {
    if (tag.name === '/Pixels') end();
    else if (tag.name === 'OME') uuid = tag.attributes.get('UUID');
    else if (tag.name === 'Pixels') {
      end();
      count++;
      pixels = { fields: tag.attributes, channels: [], data: [], ...(uuid !== undefined && { uuid }) };
    } else if (tag.name === 'Channel') pixels?.channels.push(tag.attributes);
    else if (tag.name === 'TiffData') pixels?.data.push({ fields: tag.attributes });
    else if (tag.name === 'UUID') {
      const last = pixels?.data.at(-1);
      if (last) last.uuid = tag.text.trim();
    }
  }
  end();
  return found && { ...found, count };
}

/** Whether a plane of an image is in the file that describes it. */
const isInFile = ({ data, uuid: own }: OmePixels): boolean =>
  data.length === 0 || data.some(({ uuid }) => uuid === undefined || own === undefined || uuid === own);

/** The companion file that describes an OME data set of which a TIFF is one file; undefined for any other TIFF. */
export function companionFile(file: TiffFile, directory: TiffDirectory): string | undefined {
  const text = file.text(directory, TAG.description);
  if (!text.includes('BinaryOnly')) return undefined;
  for (const { name, attributes } of xmlTags(text, 'BinaryOnly')) {
    if (name === 'BinaryOnly') return attributes.get('MetadataFile') ?? 'another file';
  }
  return undefined;
}

function omeAxes(image: OmeImage | undefined): TiffAxes | undefined {
  if (!image) return undefined;
  const { pixels, count, index } = image;
  const size = (key: string) => wholeNumber(pixels.fields.get(key)) ?? 1;
  const order = (pixels.fields.get('DimensionOrder') ?? 'XYCZT').slice(2);
  if (!/^(?=.*C)(?=.*Z)(?=.*T)[CZT]{3}$/.test(order)) return undefined;
  // An RGB image is one channel with three samples.
  const listed = pixels.channels.reduce(
    (sum, tag) => sum + (wholeNumber(tag.get('SamplesPerPixel')) ?? 1),
    0,
  );
  const channels = listed === size('SizeC') ? pixels.channels.length : size('SizeC');
  const names = pixels.channels.slice(0, channels).map((tag) => tag.get('Name') ?? '');
  const sizes: Sizes = { C: channels, Z: size('SizeZ'), T: size('SizeT') };
  const axes = { ...ordered(order, sizes, names), ...(count > 1 && { images: { count, index } }) };
  if (pixels.data.length === 0) return axes;
  const pages = tiffDataPages(pixels, axes, sizes);
  return { ...axes, pageOf: (c, z, t) => pages.get(axes.pageOf(c, z, t)!) };
}

/** Page of each plane, by the plane's rank in the dimension order. */
function tiffDataPages({ data, uuid: own }: OmePixels, axes: TiffAxes, sizes: Sizes): Map<number, number> {
  const planes = Math.min(sizes.C * sizes.Z * sizes.T, MAX_PLANES);
  const pages = new Map<number, number>();
  let left = MAX_PLANES;
  for (const { fields, uuid } of data) {
    // Planes in another file.
    if (uuid !== undefined && own !== undefined && uuid !== own) continue;
    const at = (key: string) => (/^\d{1,9}$/.test(fields.get(key) ?? '') ? Number(fields.get(key)) : 0);
    const first = axes.pageOf(at('FirstC'), at('FirstZ'), at('FirstT'))!;
    const page = at('IFD');
    const given = wholeNumber(fields.get('PlaneCount'));
    const count = given ?? (fields.has('IFD') ? 1 : planes - first);
    for (let i = 0; i < count && first + i < planes && left > 0; i++, left--) pages.set(first + i, page + i);
  }
  return pages;
}

interface Shaped {
  shape: readonly number[];
  axes?: string;
  truncated: boolean;
}

/** Parses tifffile's JSON: the shape of the array, and optionally its axes. */
function parseShaped(text: string): Shaped | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { shape, axes, truncated } = (value ?? {}) as Record<string, unknown>;
  if (!Array.isArray(shape) || !shape.every((length) => Number.isSafeInteger(length) && length >= 1)) {
    return undefined;
  }
  return {
    shape,
    truncated: truncated === true,
    ...(typeof axes === 'string' && axes.length === shape.length && { axes }),
  };
}

function shapedAxes(text: string): TiffAxes | undefined {
  const shaped = parseShaped(text);
  if (!shaped?.axes) return undefined;
  const inPage = Math.min(shaped.axes.indexOf('Y'), shaped.axes.indexOf('X'));
  const outer = shaped.axes.slice(0, inPage);
  if (inPage < 1 || !/^[CZT]+$/.test(outer) || new Set(outer).size !== outer.length) return undefined;
  const sizes: Sizes = { C: 1, Z: 1, T: 1 };
  for (const [i, axis] of [...outer].entries()) sizes[axis as keyof Sizes] = shaped.shape[i]!;
  const missing = [...'CZT'].filter((axis) => !outer.includes(axis)).join('');
  return ordered(`${[...outer].reverse().join('')}${missing}`, sizes);
}
