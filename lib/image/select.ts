import { checkNumber, indexIn, refuse } from '../check.js';
import { CellrouteError } from '../errors.js';
import { type CheckedLimits, checkLimits } from './limits.js';
import type { ChannelChoice, ImageReadOptions } from './types.js';

export const READ_KEYS = ['page', 'z', 't', 'channels', 'limits'] as const;

/** Checked selection of what to read. Missing options are undefined. */
export interface Selection {
  page: number | undefined;
  z: number | undefined;
  t: number | undefined;
  channels: readonly (number | string)[] | undefined;
  limits: CheckedLimits;
}

/** Checks options for reading images. */
export function checkReadOptions(options: ImageReadOptions): Selection {
  const index = (key: 'page' | 'z' | 't') =>
    options[key] === undefined ? undefined : checkNumber(key, options[key], { min: 0, integer: true });
  const selection = {
    page: index('page'),
    z: index('z'),
    t: index('t'),
    channels: options.channels === undefined ? undefined : checkChannels(options.channels),
    limits: checkLimits('limits', options.limits),
  };
  if (selection.page !== undefined && (selection.z !== undefined || selection.t !== undefined)) {
    throw refuse('page', 'either page, or z and t', options.page);
  }
  return selection;
}

const isOne = (value: unknown) =>
  (typeof value === 'string' && value !== '') || (Number.isSafeInteger(value) && (value as number) >= 0);

function checkChannels(value: ChannelChoice): readonly (number | string)[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if ((list.length === 1 || list.length === 3) && list.every(isOne)) return list as (number | string)[];
  throw refuse('channels', "a channel's index from 0 or its name, or a list of one or three", value);
}

/** The options for reading images among other options. */
export function readOptionsIn(options: ImageReadOptions): ImageReadOptions {
  return Object.fromEntries(
    READ_KEYS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])),
  );
}

/** The options among which {@link readOptionsIn} finds those for reading images, without these. */
export function withoutReadOptions<T extends ImageReadOptions>(options: T): Omit<T, keyof ImageReadOptions> {
  const { page: _, z: __, t: ___, channels: ____, limits: _____, ...others } = options;
  return others;
}

/** Indices of the selected channels; all of them if none was selected and the image is grey or RGB. */
export function resolveChannels(
  asked: readonly (number | string)[],
  count: number,
  names: readonly string[] | undefined,
): number[] {
  const known = names?.some((name) => name !== '')
    ? `, or one of ${names.map((name) => JSON.stringify(name)).join(', ')}`
    : '';
  const expected = `${indexIn(count)}${known}`;
  return asked.map((one) => {
    if (typeof one === 'number') {
      if (one < count) return one;
      throw refuse('channels', expected, one);
    }
    const found = names?.flatMap((name, i) => (name === one ? [i] : [])) ?? [];
    if (found.length > 1) throw refuse('channels', `an index, as several channels have this name`, one);
    if (found.length === 0) throw refuse('channels', expected, one);
    return found[0]!;
  });
}

/** Checked index along an axis of the file. Default 0. */
export function checkAxis(
  key: 'z' | 't',
  asked: number | undefined,
  size: number | undefined,
  what = 'The TIFF',
): number {
  if (asked === undefined) return 0;
  if (size === undefined) {
    const expected =
      what === 'The TIFF'
        ? `no ${key}, as the TIFF names no such axis (page chooses a plane)`
        : `no ${key}, as ${what} has no such axis`;
    throw refuse(key, expected, asked);
  }
  if (asked < size) return asked;
  throw refuse(key, indexIn(size), asked);
}

/** Error for an image with several channels if none was selected. */
export function channelsNeeded(
  format: string,
  count: number,
  names: readonly string[] | undefined,
): CellrouteError {
  const named = names?.filter((name) => name !== '') ?? [];
  const list = named.length > 0 ? ` (${named.join(', ')})` : '';
  const [example] = named;
  const by = example === undefined ? '' : ` or channels: ${JSON.stringify(example)}`;
  return new CellrouteError(
    'IMAGE_UNSUPPORTED',
    `The ${format} cannot be used: it has ${count} channels${list} that are not grey or RGB; ` +
      `choose one or three, for example channels: 0${by} (command line: --channels 0)`,
    { option: 'channels', expected: 'one or three of the channels', got: `${count} channels` },
  );
}
