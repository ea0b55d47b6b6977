import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { isHidden } from '../annotations/names.js';
import { CellrouteError } from '../errors.js';
import type { ResultFormatName } from '../export/formats.js';
import { cannotRead, unreadable } from '../file-errors.js';
import { imageEndings } from '../image/format.js';
import type { RoutedSegmentOptions } from '../inference/ensemble.js';
import { PRIORITY_RANGE } from '../jobs/types.js';
import {
  isS3Url,
  readS3Url,
  S3Connection,
  type S3Options,
  type S3Version,
  s3Url,
} from '../queue/s3-client.js';
import { defaultName, taskFormats } from '../queue/task.js';
import type { JobQueue, SegmentTask, TaskSegmentOptions } from '../queue/types.js';
import { counted } from './columns.js';
import { findImages } from './images.js';
import { type MeasurementFlags, withMeasurements } from './measurement-options.js';
import { numberIn, wordsOf } from './options.js';
import { type QueueFlags, queueOf, type S3Flags, s3OptionsOf, withQueue, withS3 } from './queue-options.js';
import { type ReadFlags, readOptionsOf, withReadOptions } from './read-options.js';
import { StopSignals } from './stop-signals.js';
import { type ThresholdFlags, thresholdsOf, withThresholds } from './thresholds.js';

interface Flags extends QueueFlags, S3Flags, ThresholdFlags, ReadFlags, MeasurementFlags {
  formats: ResultFormatName[];
  slides?: boolean | undefined;
  level?: number | undefined;
  skipBackground?: number | boolean | undefined;
  priority: number;
  retry?: boolean | undefined;
  wait?: boolean | undefined;
}

/** Adds `cellroute submit`. */
export function registerSubmit(program: Command): void {
  const formats = taskFormats(false);
  const command = program
    .command('submit')
    .description('Add images to a job queue')
    .argument(
      '<images...>',
      'image files, folders of images, http(s) URLs, s3://bucket/image and s3://bucket/folder/',
    )
    .addOption(
      new Option('-f, --formats <list>', `output formats: ${formats.join(', ')}`)
        .argParser(wordsOf(formats))
        .default(['json'], 'json'),
    )
    .option('--slides', 'read them as slides: each row of tiles is a job, and one joins them')
    .option(
      '--level <index>',
      'level of slides that is segmented, from 0 (default: the smallest that has what the network sees)',
      numberIn(0, 63, { integer: true }),
    )
    .option(
      '--skip-background [share]',
      'skip tiles of slides with less than this share of their contrast, 0 to 1 (0.05 without a number)',
      numberIn(0, 1),
    )
    .option(
      '--priority <number>',
      'jobs with a higher priority run first, 0 to 100',
      numberIn(PRIORITY_RANGE.min, PRIORITY_RANGE.max, { integer: true }),
      0,
    )
    .option('--retry', 'submit again what failed or was cancelled')
    .option('--wait', 'wait for the results, and print them; the exit status is 1 where a job failed');
  withReadOptions(withThresholds(withMeasurements(withS3(withQueue(command)))))
    .addHelpText(
      'after',
      `
The same file, unchanged, with the same options is one job while the queue knows it. Where too many jobs wait, the command
waits for room. With a journal, cellroute worker does the jobs afterwards.`,
    )
    .action(submit);
}

async function submit(places: string[], flags: Flags): Promise<void> {
  const signals = new StopSignals();
  const { signal } = signals;
  try {
    const tasks = await tasksOf(places, flags, signal);
    await using queue = await queueOf(flags);
    const ids: { id: string; name: string }[] = [];
    let created = 0;
    for (const { task, key } of tasks) {
      const { priority } = flags;
      const submitted = await queue.submit(task, { key, priority, whenBusy: 'wait', signal });
      if (submitted.created) created++;
      let { job } = submitted;
      if (flags.retry && (job.state === 'failed' || job.state === 'cancelled'))
        job = await queue.retry(job.id);
      ids.push({ id: job.id, name: task.name! });
      if (!flags.wait) console.log(`${task.name}: ${job.id} (${job.state})`);
    }
    console.log(`${counted(ids.length, 'job')}, ${created} of them new`);
    if (!flags.wait) return;
    if (flags.journal !== undefined) await checkEnded(queue, ids, flags.journal);
    await printResults(queue, ids, signal);
  } catch (error) {
    if (!signals.caused(error)) throw error;
    signals.setExitCode();
  } finally {
    signals.close();
  }
}

/** A journal is open in one process: no worker can run jobs while this one waits. */
async function checkEnded(queue: JobQueue, ids: readonly { id: string }[], journal: string): Promise<void> {
  const jobs = await Promise.all(ids.map(({ id }) => queue.get(id)));
  const open = jobs.filter((job) => job?.state === 'waiting' || job?.state === 'running').length;
  if (open === 0) return;
  const expected = 'jobs that have ended';
  throw new CellrouteError(
    'INVALID_ARGUMENT',
    `${open} of ${counted(ids.length, 'job')} in the journal did not run yet, and none runs while this command waits: run cellroute worker --journal ${journal} --until-empty --results FOLDER, and then this command again`,
    { option: '--wait', expected, got: `${open} that wait` },
  );
}

async function printResults(
  queue: JobQueue,
  ids: readonly { id: string; name: string }[],
  signal: AbortSignal,
): Promise<void> {
  let failed = 0;
  for (const { id, name } of ids) {
    let state = '';
    let reason = '';
    for await (const job of queue.events(id, { signal })) {
      state = job.state;
      reason = job.error ? `${job.error.message} [${job.error.code}]` : '';
    }
    signal.throwIfAborted();
    if (state === 'done') {
      const { cellType, cells, files } = await queue.result(id);
      console.log(`${name}: ${cellType}, ${cells} cells: ${Object.values(files).join(', ')}`);
      continue;
    }
    failed++;
    console.error(`${name}: ${state}${reason && `: ${reason}`}`);
  }
  if (failed === 0) return;
  console.error(`${failed} of ${ids.length} jobs did not end with a result`);
  process.exitCode = 1;
}

/** The images of buckets: objects themselves, and those below a prefix that ends with a slash. */
async function objectsAt(
  urls: readonly string[],
  options: S3Options,
  signal: AbortSignal,
): Promise<{ url: string; name: string; tag: string }[]> {
  const connection = new S3Connection(options);
  const found: { url: string; name: string; tag: string }[] = [];
  for (const url of urls) {
    const place = readS3Url('images', url);
    const add = ({ key, tag }: S3Version, name: string) =>
      found.push({ url: s3Url({ ...place, key }), name: name.replaceAll('/', '_'), tag });
    if (place.key !== '' && !place.key.endsWith('/')) {
      const version = await connection.version(place, { signal });
      if (!version) throw cannotRead(url, 'there is no such object; a folder ends with a slash');
      add(version, basename(place.key));
      continue;
    }
    const before = found.length;
    for await (const version of connection.list(place, { signal })) {
      const name = version.key.slice(place.key.length);
      if (!isHidden(basename(name)) && imageEndings.includes(extname(name).toLowerCase())) add(version, name);
    }
    if (found.length === before) throw cannotRead(url, `there are no images (${imageEndings.join(', ')})`);
  }
  return found;
}

/** A task per image, with a key that changes with the file. */
async function tasksOf(
  places: readonly string[],
  flags: Flags,
  signal: AbortSignal,
): Promise<{ task: SegmentTask; key: string }[]> {
  const { formats, columns, outputPixelSize, slides = false } = flags;
  const urls = places.filter((place) => /^https?:\/\//i.test(place));
  const objects = places.filter(isS3Url);
  const paths = places.filter((place) => !urls.includes(place) && !objects.includes(place));
  // An OME-Zarr slide is a folder, which is not searched.
  const files = slides
    ? paths.map((path) => ({ path, fileName: basename(resolve(path)) }))
    : paths.length > 0
      ? await findImages(paths)
      : [];
  const common = { slide: slides, formats, columns, options: optionsOf(flags) };
  const more = outputPixelSize === undefined ? {} : { outputPixelSize };
  const tasks: { task: SegmentTask; version: unknown }[] = [];
  for (const { path, fileName } of files) {
    const { size, mtimeMs } = await stat(path).catch(unreadable(path));
    // Files of the same name in several folders are distinguished by their folders.
    const name = fileName.replaceAll('/', '_');
    tasks.push({ task: { image: resolve(path), name, ...common, ...more }, version: [size, mtimeMs] });
  }
  for (const url of urls) {
    tasks.push({ task: { image: url, name: defaultName(url), ...common, ...more }, version: url });
  }
  if (objects.length > 0) {
    for (const { url, name, tag } of await objectsAt(objects, s3OptionsOf(flags), signal)) {
      tasks.push({ task: { image: url, name, ...common, ...more }, version: [url, tag] });
    }
  }
  return tasks.map(({ task, version }) => {
    const text = JSON.stringify([version, task]);
    return { task, key: createHash('sha256').update(text).digest('hex') };
  });
}

function optionsOf(flags: Flags): TaskSegmentOptions {
  const { level, skipBackground } = flags;
  const options: RoutedSegmentOptions = { ...thresholdsOf(flags), ...readOptionsOf(flags) };
  return JSON.parse(
    JSON.stringify({
      ...options,
      level,
      skipBackground: typeof skipBackground === 'number' ? { contrast: skipBackground } : skipBackground,
    }),
  ) as TaskSegmentOptions;
}
