import { join } from 'node:path';
import { withNames } from '../../lib/cli/images.js';

// Names of results, which every file system has to accept.

const namesOf = (...paths: string[]) =>
  withNames(paths.map((path) => join('set', path))).map(({ name }) => name);

test('names of devices in Windows get another name, also with an ending and as a folder', () => {
  expect(namesOf('con.png', 'NUL.tif', 'aux.b.png', 'com1.png', 'lpt³.png', 'CONOUT$.png')).toEqual([
    'con_',
    'NUL_',
    'aux_.b',
    'com1_',
    'lpt³_',
    'CONOUT$_',
  ]);
  expect(namesOf('nul/a.png', 'prn /a.png')).toEqual(['nul_/a', 'prn_/a']);
  expect(namesOf('console.png', 'com.png', 'com10.png', 'acon.png')).toEqual([
    'console',
    'com',
    'com10',
    'acon',
  ]);
});

test('dots and spaces at the end are replaced', () => {
  expect(namesOf('a..png', 'b .png', 'c. .png', '.d.png')).toEqual(['a_', 'b_', 'c__', '.d']);
  expect(namesOf('x./a.png', 'y/a.png')).toEqual(['x_/a', 'y/a']);
});

test('a replaced name does not collide with another', () => {
  expect(namesOf('con.png', 'con_.png', 'CON_.tif')).toEqual(['con_', 'con_.png', 'CON_.tif']);
  expect(namesOf('con.png', 'con_.png')).toEqual(['con_', 'con_-2']);
});

test('ids in tables are those of a data set of the images', () => {
  const images = withNames(
    ['con.png', 'end..png', 'b.tif', 'b.tif.tif', 'a.png', 'a.tif'].map((name) => `set/${name}`),
  );
  expect(images.map(({ id }) => id)).toEqual(['con', 'end.', 'b', 'b.tif', 'a.png', 'a.tif']);
});
