// Checks of images and results in buckets.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../run.mjs';
import { equal, MAIN, MODEL, OPTIONS, oneProcess } from './support.mjs';

/**
 * The checks.
 *
 * @param images folder of the images.
 * @param scene makes a queue with workers.
 */
export const bucketChecks = ({ s3, redis, images, scene, makeSlide }) => [
  [
    'a bucket: objects are written once, and those in parts are whole or absent',
    async () => {
      const { S3Objects } = await import('../../dist/queue.mjs');
      await s3.makeBucket('lab');
      const store = new S3Objects('s3://lab/some/folder', { endpoint: s3.url });
      const text = async (key) => Buffer.from(await store.get(key)).toString();
      await store.check();
      equal('there', await store.has('a b/#1 %20.txt'), false);
      equal('written', await store.put('a b/#1 %20.txt', [Buffer.from('one, '), Buffer.from('two')]), true);
      equal('written again', await store.put('a b/#1 %20.txt', [Buffer.from('three')]), false);
      equal('text', await text('a b/#1 %20.txt'), 'one, two');
      equal('keys', (await s3.keysOf('lab')).objects, ['some/folder/a b/#1 %20.txt']);
      await store.delete('a b/#1 %20.txt');
      await store.delete('a b/#1 %20.txt');
      equal('deleted', await store.has('a b/#1 %20.txt'), false);
      equal('empty', [await store.put('empty', []), (await store.get('empty')).length], [true, 0]);
      const missing = await store.get('none').catch((error) => error);
      equal('missing', [missing.code, missing.cause.code], ['FILE_UNREADABLE', 'ENOENT']);

      // 40 MiB in chunks that no part ends with.
      const chunks = Array.from({ length: 64 }, (_, i) => Buffer.alloc(655_361, i));
      equal('large', await store.put('large', chunks), true);
      equal('large again', await store.put('large', chunks), false);
      equal('same', Buffer.concat(chunks).equals(await store.get('large')), true);
      async function* failing() {
        yield* chunks;
        throw new Error('the content failed');
      }
      const failed = await store.put('half', failing()).catch(({ message }) => message);
      equal('failed', failed, 'the content failed');
      equal('half', await store.has('half'), false);
      const stop = new AbortController();
      async function* endless() {
        for (let i = 0; ; i++) {
          if (i === 40) stop.abort(new Error('stopped'));
          yield chunks[0];
        }
      }
      const { signal } = stop;
      equal(
        'aborted',
        await store.put('half', endless(), { signal }).catch(({ message }) => message),
        'stopped',
      );
      // An upload that was stopped is deleted in the background.
      for (let looks = 0; looks < 100 && (await s3.keysOf('lab')).uploads.length > 0; looks++)
        await delay(100);
      equal('left of both', await s3.keysOf('lab'), {
        objects: ['some/folder/empty', 'some/folder/large'],
        uploads: [],
      });
      const other = new S3Objects('s3://no-such-bucket', { endpoint: s3.url });
      const calls = [() => other.check(), () => other.get('a'), () => other.put('a', [Buffer.from('x')])];
      for (const call of calls) {
        equal('no bucket', (await call().catch(({ code }) => code))?.replace(/UN.*/, ''), 'FILE_');
      }
    },
  ],
  [
    'images and results in buckets: two workers, one killed; equal to files, and written once',
    async (names) => {
      const { S3Objects } = await import('../../dist/queue.mjs');
      await s3.makeBucket('images');
      await s3.makeBucket('results');
      const store = new S3Objects('s3://images/plate 7', { endpoint: s3.url });
      const some = names.slice(0, 12);
      for (const name of some) await store.put(name, [readFileSync(join(images, name))]);
      const task = { formats: ['json', 'labels', 'measurements'], options: OPTIONS };

      const files = await scene(1);
      const filesOf = new Map();
      for (const key of some) {
        const { job } = await files.queue.submit({ ...task, image: { key } });
        filesOf.set(key, job.id);
      }
      await files.idle();

      const settings = {
        results: 's3://results/queue',
        images: 's3://images/plate 7',
        s3: { endpoint: s3.url },
      };
      const one = await scene(2, { settings });
      await one.ready();
      const ids = new Map();
      for (const [i, key] of some.entries()) {
        const image = i % 2 ? { key } : `s3://images/plate 7/${key}`;
        const { job } = await one.queue.submit({ ...task, image });
        ids.set(key, job.id);
        // The same image again, by the other kind of reference: another job with the same result.
        await one.queue.submit({ ...task, image: i % 2 ? `s3://images/plate 7/${key}` : { key } });
      }
      await one.all[0].prints(({ step }) => step === 'image');
      one.all[0].child.kill('SIGKILL');
      one.startWorker();
      await one.idle();
      const { done, failed } = await one.queue.counts();
      equal('jobs', [done, failed], [2 * some.length, 0]);
      const results = new S3Objects('s3://results/queue', { endpoint: s3.url });
      for (const key of some) {
        const result = await one.queue.result(ids.get(key));
        const expected = await files.queue.result(filesOf.get(key));
        equal('key', result.key, expected.key);
        equal('files', result.files, expected.files);
        for (const file of Object.values(result.files)) {
          const same = readFileSync(join(files.results, file)).equals(await results.get(file));
          equal(`${file} is the same as a file`, same, true);
        }
      }
      const { objects, uploads } = await s3.keysOf('results');
      equal('objects', [objects.length, uploads], [4 * some.length, []]);
      const written = one.all.flatMap(({ lines }) => lines.filter(({ created }) => created));
      if (written.length > some.length) throw new Error(`${written.length} results were written`);
      const missing = await one.queue.submit({ image: 's3://images/none.png' });
      await one.idle();
      equal('missing', (await one.queue.get(missing.job.id)).error.code, 'FILE_UNREADABLE');
      await files.end();
      await one.end();
    },
  ],
  [
    'a slide whose rows are in a bucket; equal to one process',
    async () => {
      const { S3Objects } = await import('../../dist/queue.mjs');
      await s3.makeBucket('slides');
      const path = await makeSlide();
      const options = { ...OPTIONS, tiles: { size: 192, overlap: 64 } };
      const one = await scene(2, { settings: { results: 's3://slides', s3: { endpoint: s3.url } } });
      const { job } = await one.queue.submit({ image: path, slide: true, options });
      await one.idle();
      const { files, key } = await one.queue.result(job.id);
      const results = new S3Objects('s3://slides', { endpoint: s3.url });
      const got = JSON.parse(Buffer.from(await results.get(files.json)).toString());
      equal('the result', got, await oneProcess(path, options));
      const { objects } = await s3.keysOf('slides');
      equal('objects', objects, [files.json, files.json.replace(/[^/]*$/, 'record')].sort());
      equal('key', objects[0].split('/')[1], key);
      await one.end();
    },
  ],
  [
    'cellroute submit and cellroute worker with buckets',
    async (names) => {
      await s3.makeBucket('cli');
      const { S3Objects } = await import('../../dist/queue.mjs');
      const store = new S3Objects('s3://cli', { endpoint: s3.url });
      for (const name of names.slice(0, 3)) await store.put(`in/${name}`, [readFileSync(join(images, name))]);
      await store.put('in/notes.txt', [Buffer.from('no image')]);
      const cellroute = (...args) => run(process.execPath, [MAIN, ...args], { capture: true });
      const own = ['--redis', redis.url, '--queue', 'cli-s3', '--s3-endpoint', s3.url];
      const submit = (...places) =>
        cellroute('submit', ...places, ...own, '--cell-type', 'fluorescence').output;
      const worker = (results) =>
        cellroute('worker', ...own, '--results', results, '--model', MODEL, '--until-empty');
      const matched = (what, text, pattern) => {
        if (!pattern.test(text)) throw new Error(`${what}: ${text}`);
      };
      matched('submitted', submit('s3://cli/in/'), /3 jobs, 3 of them new/);
      matched('again', submit('s3://cli/in/', `s3://cli/in/${names[0]}`), /4 jobs, 0 of them new/);
      equal('images', worker('s3://cli/out').output.match(/: fluorescence, \d+ cells/g)?.length, 3);
      equal('objects', (await s3.keysOf('cli')).objects.filter((key) => key.endsWith('.json')).length, 3);
      matched('none', submit('s3://cli/out/none/'), /there are no images.*\[FILE_UNREADABLE\]/);
      matched('no object', submit('s3://cli/a.png'), /there is no such object.*\[FILE_UNREADABLE\]/);
      matched('no bucket', worker('s3://none/out').output, /s3:\/\/none: .*\[FILE_UNREADABLE\]/);
    },
  ],
];
