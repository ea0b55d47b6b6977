import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { resultKey } from '../../../lib/queue/result-key.js';
import { checkTask, taskDigest } from '../../../lib/queue/task.js';
import type { SegmentTask } from '../../../lib/queue/types.js';
import { thrown } from '../../support/sdk.js';

test('references are kept as path, URL or key, and name the image', () => {
  const kept = (image: SegmentTask['image']) => {
    const { image: reference, name } = checkTask({ image });
    return [reference, name];
  };
  expect(kept('images/a.png')).toEqual([{ path: resolve('images/a.png') }, 'a.png']);
  expect(kept(pathToFileURL(join('x', 'b c.tif')))).toEqual([{ path: resolve('x', 'b c.tif') }, 'b c.tif']);
  expect(kept('https://host/plate%207/c%20d.png?size=2')).toEqual([
    { url: 'https://host/plate%207/c%20d.png?size=2' },
    'c d.png',
  ]);
  expect(kept('s3://lab/plate 7/f#1 %20.png')).toEqual([
    { bucket: 'lab', key: 'plate 7/f#1 %20.png' },
    'f#1 %20.png',
  ]);
  expect(kept({ key: 'plate-7/e.png' })).toEqual([{ key: 'plate-7/e.png' }, 'e.png']);
  expect(kept('http://host/')).toEqual([{ url: 'http://host/' }, 'image']);
});

test('a task is plain data with its defaults, and the order of formats is that of the list', () => {
  const task = checkTask({
    image: '/a.png',
    formats: ['measurements', 'json', 'measurements'],
    options: { minScore: 0.5, tiles: { size: 512 } },
  });
  expect(task).toEqual({
    image: { path: resolve('/a.png') },
    slide: false,
    name: 'a.png',
    formats: ['json', 'measurements'],
    options: { minScore: 0.5, tiles: { size: 512 } },
    columns: 'skimage',
  });
  expect(JSON.parse(JSON.stringify(task))).toEqual(task);
});

test.each<[string, object, string]>([
  ['an unknown key', { image: 'a.png', format: 'json' }, 'task.format; did you mean formats?'],
  ['no image', {}, 'for image but received undefined'],
  ['a protocol that is not read', { image: new URL('ftp://host/a.png') }, 'for image'],
  ['a bucket without a key', { image: 's3://lab' }, 'the URL of one object for image'],
  ['a folder of a bucket', { image: 's3://lab/plate-7/' }, 'the URL of one object for image'],
  ['a bucket without a name', { image: 's3:///a.png' }, 's3://bucket/folder/image.png for image'],
  [
    'a slide in a bucket',
    { image: 's3://lab/a.tif', slide: true },
    'as an object store has no files for image',
  ],
  ['a key above its store', { image: { key: '../a.png' } }, 'for image.key'],
  ['a name that is a path', { image: 'a.png', name: 'x/y.png' }, 'for name'],
  ['a format of a run', { image: 'a.png', formats: ['coco'] }, 'for formats[0]'],
  ['no format', { image: 'a.png', formats: [] }, 'for formats'],
  ['a drawing of a slide', { image: 'a.tif', slide: true, formats: ['overlay'] }, 'for formats[0]'],
  ['a level of an image', { image: 'a.png', options: { level: 1 } }, 'without slide: true'],
  ['a threshold out of range', { image: 'a.png', options: { minScore: 2 } }, 'minScore'],
  [
    'an option that is no data',
    { image: 'a.png', options: { onProgress: () => {} } },
    'not options of a job',
  ],
  ['a pixel size of zero', { image: 'a.png', outputPixelSize: 0 }, 'for outputPixelSize'],
])('refuses %s', (_, task, message) => {
  const error = thrown(() => checkTask(task as SegmentTask));
  expect(error.code).toBe('INVALID_ARGUMENT');
  expect(error.message).toContain(message);
});

test('equal tasks have one digest, others another', () => {
  const task = checkTask({ image: '/a.png', options: { minScore: 0.5, cellType: 'x' } });
  const same = checkTask({ options: { cellType: 'x', minScore: 0.5 }, image: '/a.png' });
  expect(taskDigest(same)).toBe(taskDigest(task));
  expect(taskDigest(checkTask({ image: '/a.png', options: { minScore: 0.6, cellType: 'x' } }))).not.toBe(
    taskDigest(task),
  );
});

describe('the key of a result', () => {
  const base = () => checkTask({ image: '/a.png', options: { minScore: 0.5 } });
  const key = resultKey('image', 'model', base(), '1.0.0');

  test('is a SHA-256 and the same for the same image in another place', () => {
    expect(key).toMatch(/^[\da-f]{64}$/);
    expect(
      resultKey('image', 'model', checkTask({ image: '/other/a.png', options: { minScore: 0.5 } }), '1.0.0'),
    ).toBe(key);
  });

  test.each([
    ['image', () => resultKey('other', 'model', base(), '1.0.0')],
    ['model', () => resultKey('image', 'other', base(), '1.0.0')],
    ['version', () => resultKey('image', 'model', base(), '1.0.1')],
    [
      'options',
      () => resultKey('image', 'model', checkTask({ image: '/a.png', options: { minScore: 0.4 } }), '1.0.0'),
    ],
    ['formats', () => resultKey('image', 'model', { ...base(), formats: ['labels'] }, '1.0.0')],
    ['name', () => resultKey('image', 'model', { ...base(), name: 'b.png' }, '1.0.0')],
  ])('differs with another %s', (_, other) => {
    expect(other()).not.toBe(key);
  });
});
