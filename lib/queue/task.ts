// Stored tasks: checked, with defaults, as plain data.
import { createHash } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson } from '../canonical-json.js';
import {
  checkBoolean,
  checkKeys,
  checkNumber,
  checkObject,
  checkOneOf,
  checkString,
  refuse,
} from '../check.js';
import { RESULT_FORMAT_NAMES, type ResultFormatName, resultFormat } from '../export/formats.js';
import { checkSegmentOptions } from '../inference/segment-options.js';
import { COLUMN_NAMES } from '../measure/columns.js';
import { checkObjectKey } from './objects.js';
import { isS3Url, readS3Url, s3Url } from './s3-client.js';
import { noSlide } from './source.js';
import type { ImageReference, SegmentTask, StoredTask, TaskSegmentOptions } from './types.js';

/** Formats of a job: those with a file per image; for a slide, those that need no pixels. */
export const taskFormats = (slide: boolean): ResultFormatName[] =>
  RESULT_FORMAT_NAMES.filter((name) => {
    const { scope, needsImage } = resultFormat(name);
    return scope === 'image' && !(slide && needsImage);
  });

const KEYS = ['image', 'slide', 'name', 'formats', 'options', 'columns', 'outputPixelSize'];

/**
 * Refuses tasks that no worker can process.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function checkTask(task: SegmentTask): StoredTask {
  checkKeys('task', checkObject('task', task), KEYS);
  const { slide = false, formats = ['json'], options = {}, columns = 'skimage', outputPixelSize } = task;
  checkBoolean('slide', slide);
  const image = referenceOf(task.image);
  if (slide && 'bucket' in image) throw noSlide('an object store has no files', s3Url(image));
  const name = checkName(task.name ?? nameOf(image));
  if (!Array.isArray(formats) || formats.length === 0) throw refuse('formats', 'a list of formats', formats);
  const known = taskFormats(slide);
  for (const [i, format] of formats.entries()) checkOneOf(`formats[${i}]`, format, known);
  const { level, skipBackground, ...rest } = checkObject('options', options) as TaskSegmentOptions;
  if (!slide && (level !== undefined || skipBackground !== undefined)) {
    throw refuse(
      'options.level and options.skipBackground',
      'nothing without slide: true',
      level ?? skipBackground,
    );
  }
  // The options of a slide are checked when the slide is opened.
  checkSegmentOptions(rest, ['cellType']);
  const { signal, onProgress, whenBusy, name: other } = rest as Record<string, unknown>;
  const foreign = signal ?? onProgress ?? whenBusy ?? other;
  if (foreign !== undefined) {
    throw refuse(
      'options',
      'no signal, onProgress, whenBusy or name, which are not options of a job',
      foreign,
    );
  }
  if (outputPixelSize !== undefined) {
    checkNumber('outputPixelSize', outputPixelSize, { min: 1e-6, max: 1e6 });
  }
  return {
    image,
    slide,
    name,
    // In the order of the list and without repetition, so that equal requests give equal tasks.
    formats: known.filter((format) => formats.includes(format)),
    options: JSON.parse(JSON.stringify(options)) as TaskSegmentOptions,
    columns: checkOneOf('columns', columns, COLUMN_NAMES),
    ...(outputPixelSize !== undefined && { outputPixelSize }),
  };
}

/** A digest of a task. Equal tasks have equal digests. */
export const taskDigest = (task: StoredTask): string =>
  createHash('sha256').update(canonicalJson(task)).digest('hex');

function referenceOf(image: unknown): ImageReference {
  const expected =
    "a path, a URL with file:, http: or https:, a string s3://bucket/key, or { key } of the workers' store of images";
  if (typeof image === 'string' && isS3Url(image)) {
    const place = readS3Url('image', image);
    if (place.key === '' || place.key.endsWith('/')) throw refuse('image', 'the URL of one object', image);
    return place;
  }
  if (image instanceof URL || (typeof image === 'string' && /^(https?|file):\/\//i.test(image))) {
    if (!URL.canParse(String(image))) throw refuse('image', expected, image);
    const url = new URL(image);
    if (url.protocol === 'file:') return { path: fileURLToPath(url) };
    if (url.protocol === 'http:' || url.protocol === 'https:') return { url: url.href };
    throw refuse('image', expected, url.href);
  }
  if (typeof image === 'string' && image !== '') return { path: resolve(image) };
  if (typeof image !== 'object' || image === null) throw refuse('image', expected, image);
  checkKeys('image', image, ['key']);
  return { key: checkObjectKey('image.key', (image as { key: unknown }).key) };
}

/**
 * The name of an image that a task states none for: the last part of its reference.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT for what is not a reference.
 */
export const defaultName = (image: SegmentTask['image']): string => nameOf(referenceOf(image));

function nameOf(image: ImageReference): string {
  if ('path' in image) return basename(image.path);
  const path = 'url' in image ? new URL(image.url).pathname : image.key;
  const last = path.replace(/\/+$/, '').split('/').at(-1)!;
  if ('bucket' in image) return last;
  try {
    return decodeURIComponent(last) || 'image';
  } catch {
    return last || 'image';
  }
}

/** The name of an image is part of the names of its files. */
function checkName(name: string): string {
  checkString('name', name);
  if (name.length > 200 || name === '.' || name === '..' || /[\p{Cc}/\\]/u.test(name)) {
    throw refuse('name', 'a name of 1 to 200 characters without slashes and control characters', name);
  }
  return name;
}
