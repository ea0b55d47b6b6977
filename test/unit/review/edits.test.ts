import { Masks } from '../../../lib/mask/masks.js';
import { applyEdits, checkEdits, type Edits, isUnchanged, noEdits } from '../../../lib/review/edits.js';
import { pixelInPolygon, rectangles } from '../../support/review.js';
import { thrown } from '../../support/sdk.js';
import { random } from '../../support/weights.js';

const size = { width: 40, height: 30 };
const predicted = {
  masks: rectangles(
    [
      [1, 1, 6, 5],
      [10, 2, 20, 9],
      [25, 10, 38, 28],
    ],
    size,
  ),
  classes: ['cell', 'cell', 'other'],
};
const classes = ['cell', 'other'];
const limits = { size, cells: 3, classes, cellTypes: ['astro', 'cort'] };
const square = (x: number, y: number, side: number) => [x, y, x + side, y, x + side, y + side, x, y + side];

test('without edits, the cells are the predicted ones', () => {
  const { masks, classes: names } = applyEdits(predicted, noEdits(), classes);
  expect(masks.toCoco()).toEqual(predicted.masks.toCoco());
  expect(names).toEqual(predicted.classes);
  expect(isUnchanged(noEdits())).toBe(true);
});

test('cells are removed, changed and added, each in its place', () => {
  const edits: Edits = {
    removed: [0],
    changed: [
      { cell: 2, class: 'cell' },
      { cell: 1, polygons: [square(12, 3, 4)] },
    ],
    added: [
      { id: 7, polygons: [square(0, 20, 3)], class: 'other' },
      { id: 2, polygons: [square(5, 20, 2), square(8, 20, 2)] },
    ],
  };
  const { masks, classes: names } = applyEdits(predicted, edits, classes);
  const wanted = rectangles(
    [
      [12, 3, 16, 7],
      [25, 10, 38, 28],
      [0, 20, 3, 23],
    ],
    size,
  ).toCoco();
  const twoParts = rectangles(
    [
      [5, 20, 7, 22],
      [8, 20, 10, 22],
    ],
    size,
  ).union();
  expect(masks.toCoco()).toEqual([...wanted, ...twoParts.toCoco()]);
  expect(names).toEqual(['cell', 'cell', 'other', 'cell']);
});

test('a mask has the pixels whose middle is inside the outline, except within 0.2 pixels of it', () => {
  const next = random(5);
  let near = 0;
  for (let k = 0; k < 60; k++) {
    const count = 3 + Math.floor(next() * 10);
    const [cx, cy] = [8 + 24 * next(), 8 + 14 * next()];
    const polygon = Array.from({ length: count }, (_, i) => {
      const angle = (2 * Math.PI * i) / count;
      const radius = 2 + 7 * next();
      return [cx + radius * Math.cos(angle), cy + radius * Math.sin(angle)];
    })
      .flat()
      .map((value, i) => Math.max(0, Math.min(i % 2 === 0 ? size.width : size.height, value)));
    const { masks } = applyEdits(
      { masks: Masks.encode(new Uint8Array(0), { ...size, count: 0 }), classes: [] },
      { ...noEdits(), added: [{ id: 0, polygons: [polygon] }] },
      classes,
    );
    const pixels = masks.decode(0);
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        const { inside, distance } = pixelInPolygon(polygon, x, y);
        if (distance < 0.2) near++;
        else expect([k, x, y, pixels[y * size.width + x]]).toEqual([k, x, y, Number(inside)]);
      }
    }
  }
  // The comparison is of nearly all pixels.
  expect(near).toBeLessThan(0.02 * 60 * size.width * size.height);
});

test('an outline without a pixel is refused', () => {
  const edits = { ...noEdits(), added: [{ id: 0, polygons: [[1, 1, 1.1, 1, 1.1, 1.1]] }] };
  expect(thrown(() => applyEdits(predicted, edits, classes))).toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a predicted cell without a pixel is skipped', () => {
  const empty = { masks: Masks.fromCounts([[1200], [0, 1200]], size), classes: ['cell', 'other'] };
  expect(applyEdits(empty, noEdits(), classes).classes).toEqual(['other']);
});

test('edits that were checked are unchanged', () => {
  const edits = {
    removed: [2],
    changed: [{ cell: 0, polygons: [square(1, 1, 2)], class: 'other' }],
    added: [{ id: 0, polygons: [square(1, 1, 2)] }],
    cellType: 'cort',
  };
  expect(checkEdits(structuredClone(edits), limits)).toEqual(edits);
});

const added = (polygons: unknown) => ({ ...noEdits(), added: [{ id: 0, polygons }] });
test.each<[what: string, edits: unknown, option: string]>([
  ['no object', 3, 'edits'],
  ['an unknown key', { ...noEdits(), moved: [] }, 'edits.moved'],
  ['no list', { ...noEdits(), removed: {} }, 'edits.removed'],
  ['a cell that does not exist', { ...noEdits(), removed: [3] }, 'edits.removed[0]'],
  ['a negative cell', { ...noEdits(), removed: [-1] }, 'edits.removed[0]'],
  [
    'a cell twice',
    { ...noEdits(), removed: [1], changed: [{ cell: 1, class: 'other' }] },
    'edits.removed and edits.changed',
  ],
  ['an unknown class', { ...noEdits(), changed: [{ cell: 1, class: 'none' }] }, 'edits.changed[0].class'],
  ['an unknown type', { ...noEdits(), cellType: 'none' }, 'edits.cellType'],
  ['two corners', added([[1, 1, 2, 2]]), 'edits.added[0].polygons[0]'],
  ['half a corner', added([[1, 1, 2, 2, 3, 3, 4]]), 'edits.added[0].polygons[0]'],
  ['no polygon', added([]), 'edits.added[0].polygons'],
  ['NaN', added([[1, 1, 2, Number.NaN, 3, 3]]), 'edits.added[0].polygons[0][3]'],
  ['a corner outside', added([[1, 1, 41, 2, 3, 3]]), 'edits.added[0].polygons[0][2]'],
  ['a corner below', added([[1, 1, 2, 31, 3, 3]]), 'edits.added[0].polygons[0][3]'],
  ['too many corners', added([Array.from({ length: 1_000_002 }, () => 1)]), 'edits'],
])('%s is refused', (_, edits, option) => {
  expect(thrown(() => checkEdits(edits, limits))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { option },
  });
});
