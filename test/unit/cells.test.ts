import {
  boxArray,
  Cells,
  fromCocoBoxes,
  Masks,
  reviveResult,
  type Segmentation,
  toCocoBoxes,
} from '../../lib/index.js';
import { thrown } from '../support/sdk.js';

const size = { width: 6, height: 4 };
/** A block with a hole, one pixel, and two pixels that touch at a corner. */
const masks = Masks.encode(
  Uint8Array.from(
    [
      ['111000', '101000', '111000', '000000'],
      ['000000', '000000', '000000', '000001'],
      ['000000', '000010', '000001', '000000'],
    ]
      .flat()
      .join(''),
    Number,
  ),
  size,
);
const result = (): Segmentation => ({
  name: 'a.png',
  ...size,
  cells: new Cells({
    boxes: boxArray(Float32Array.of(0, 0, 3, 3, 5, 3, 6, 4, 4, 1, 6, 3)),
    scores: Float32Array.of(0.75, 0.5, 0.25),
    labels: Int32Array.of(1, 2, 3),
    areas: masks.areas(),
    masks,
    classNames: ['astro', 'cort'],
  }),
  limitsReached: { detections: false, proposals: true },
  scale: 1,
});
const { cells } = result();

test('at() works like Array.at', () => {
  const array = cells.toArray();
  for (let i = -5; i <= 5; i++) expect(cells.at(i)?.index).toBe(array.at(i)?.index);
  expect(thrown(() => cells.at(0.5))).toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a cell has its class name, box, mask and polygons', () => {
  expect(cells.map(({ className }) => className)).toEqual(['astro', 'cort', 'class 3']);
  const [block, pixel, corner] = cells.toArray();
  expect(block!.box).toEqual({ x1: 0, y1: 0, x2: 3, y2: 3 });
  expect(block!.mask.areas()[0]).toBe(8);
  expect(block!.polygons()).toHaveLength(1);
  expect(block!.polygons()[0]).toHaveLength(2);
  expect(pixel!.polygons()[0]![0]).toHaveLength(5);
  expect(corner!.polygons()).toHaveLength(2);
});

test('filter returns cells with all their data', () => {
  const kept = cells.filter(({ index }) => index !== 1);
  expect(kept).toBeInstanceOf(Cells);
  expect(kept.map(({ className, score, area, box }) => ({ className, score, area, box }))).toEqual(
    cells
      .toArray()
      .filter(({ index }) => index !== 1)
      .map(({ className, score, area, box }) => ({ className, score, area, box })),
  );
  expect(kept.masks.toCoco()).toEqual(masks.select([0, 2]).toCoco());
  expect(cells.filter(() => false)).toHaveLength(0);
});

test('JSON has all data, and its masks can be read again', () => {
  const json = JSON.parse(JSON.stringify(result()));
  expect(json).toMatchObject({ name: 'a.png', width: 6, height: 4, limitsReached: { proposals: true } });
  expect(json.cells).toEqual(JSON.parse(JSON.stringify([...cells])));
  expect(json.cells[0]).toMatchObject({ score: 0.75, label: 1, className: 'astro', box: { x1: 0, y2: 3 } });
  const counts = json.cells.map((cell: { mask: { counts: string } }) => cell.mask.counts);
  expect(Masks.fromCoco(counts, size).decode()).toEqual(masks.decode());
  const { counts: all, ...own } = JSON.parse(JSON.stringify(masks));
  expect(Masks.fromCoco(all, own).decode()).toEqual(masks.decode());
});

test('a result that was copied to another thread is revived completely', () => {
  const copy = structuredClone(result());
  expect(copy.cells).not.toBeInstanceOf(Cells);
  const revived = reviveResult(copy);
  expect(revived.cells).toBeInstanceOf(Cells);
  expect(JSON.stringify(revived)).toBe(JSON.stringify(result()));
  expect(revived.cells.masks.decode()).toEqual(masks.decode());
});

test.each([
  [null, 'copy'],
  [{}, 'copy.cells'],
  [{ ...structuredClone(result()), cells: { masks: {} } }, 'copy.cells.classNames'],
])('a value that is not a copy of a result is refused: %#', (copy, option) => {
  expect(thrown(() => reviveResult(copy as Segmentation))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option },
  });
});

test('boxes are x1, y1, x2, y2 everywhere, and converted for COCO', () => {
  expect([...masks.boxes()]).toEqual([0, 0, 3, 3, 5, 3, 6, 4, 4, 1, 6, 3]);
  const coco = [0, 0, 3, 3, 5, 3, 1, 1, 4, 1, 2, 2];
  expect([...toCocoBoxes(masks.boxes())]).toEqual(coco);
  expect([...fromCocoBoxes(coco)]).toEqual([...masks.boxes()]);
});

test.each([
  [[10, 20, 5, 5], /x2 of at least x1 \(10\); convert boxes of x, y, width, height with fromCocoBoxes/],
  [[1, 2, 3], /four numbers per box/],
  [[1, 2, Number.NaN, 4], /a finite number for boxes\[2\]/],
  ['boxes', /an array of x1, y1, x2, y2/],
])('%p are not boxes', (values, message) => {
  expect(thrown(() => boxArray(values as number[]))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
  });
});
