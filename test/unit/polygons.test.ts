import { Masks } from '../../lib/mask/masks.js';

const size = { width: 6, height: 5 };

test('masks with several polygons, one, and none', () => {
  const masks = Masks.fromPolygons(
    [
      [[1, 1, 3, 1, 3, 3, 1, 3], Float64Array.of(4, 0, 6, 0, 6, 1, 4, 1)],
      [[-9, -9, 90, -9, 90, 90, -9, 90]],
      [],
    ],
    size,
  );
  expect(masks.toKaggle()).toEqual(['5 2 8 2 14 2', '1 30', '']);
  expect(Masks.fromPolygons([], size).length).toBe(0);
});

test.each<[string, unknown, string]>([
  ['no array', 3, 'masks'],
  ['a polygon where a list of them is expected', [[1, 1, 3, 1, 3, 3]], 'masks[0][0]'],
  ['a hole', [new Array(1)], 'masks[0][0]'],
  ['NaN', [[[1, 1, 3, Number.NaN, 3, 3]]], 'masks[0][0][3]'],
  ['a text', [[[1, 1, 3, '1', 3, 3]]], 'masks[0][0][3]'],
  ['a DataView', [[new DataView(new ArrayBuffer(48))]], 'masks[0][0]'],
  ['an odd number of values', [[[1, 1, 3, 1, 3, 3, 2]]], 'three corners or more, not 7 values'],
  ['two corners', [[], [[1, 1, 3, 1]]], 'Mask 1: '],
  ['a place that no image has', [[[1, 1, 1e12, 1, 3, 3]]], 'Mask 0: '],
])('refuses %s', (_name, polygons, message) => {
  const draw = () => Masks.fromPolygons(polygons as number[][][], size);
  expect(draw).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  expect(draw).toThrow(message);
});
