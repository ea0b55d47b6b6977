// The modules of the page that need no browser.
import { Masks } from '../../../lib/mask/masks.js';
import { outlinePath } from '../../../lib/render/outline-path.js';
import { rectangles } from '../../support/review.js';
import { random } from '../../support/weights.js';

interface Edits {
  removed: number[];
  changed: { cell: number; polygons?: number[][]; class?: string }[];
  added: { id: number; polygons: number[][]; class?: string }[];
  cellType?: string;
}

const geometry = require('../../../lib/review/assets/geometry.js') as {
  ringsOfPath(path: string): number[][];
  signedArea(ring: number[]): number;
  boundsOf(rings: number[][]): number[];
  isInside(rings: number[][], x: number, y: number): boolean;
  simplify(ring: number[], tolerance: number): number[];
  nearestSide(rings: number[][], x: number, y: number): { ring: number; at: number; distance: number };
  insideImage(x: number, y: number, size: { width: number; height: number }): [number, number];
};
const edits = require('../../../lib/review/assets/edits.js') as {
  addCell(edits: Edits, polygons: number[][], name?: string): { edits: Edits; key: string };
  removeCell(edits: Edits, key: string): Edits;
  changeCell(edits: Edits, key: string, change: object, predictedClass?: string): Edits;
  changeType(edits: Edits, cellType: string, predictedType: string): Edits;
  History: new (
    edits: Edits,
  ) => {
    edits: Edits;
    canUndo: boolean;
    canRedo: boolean;
    push(edits: Edits): void;
    undo(): boolean;
    redo(): boolean;
    drop(): void;
  };
};

const size = { width: 24, height: 18 };
const none: Edits = { removed: [], changed: [], added: [] };
const ring = [1, 1, 5, 1, 5, 5, 1, 5];

test('rings of an outline contain the pixels of the mask', () => {
  const next = random(3);
  const pixels = Uint8Array.from({ length: size.width * size.height }, () => Number(next() < 0.6));
  const masks = Masks.encode(pixels, size);
  const rings = geometry.ringsOfPath(outlinePath(masks.contours().polygons(0)));
  for (let i = 0; i < pixels.length; i++) {
    const [x, y] = [(i % size.width) + 0.5, Math.floor(i / size.width) + 0.5];
    expect(geometry.isInside(rings, x, y)).toBe(pixels[i] === 1);
  }
  const area = rings.reduce((sum, one) => sum + geometry.signedArea(one) / 2, 0);
  expect(area).toBe(masks.areas()[0]);
});

test('bounds of rings are the box of the mask', () => {
  const masks = rectangles([[3, 4, 20, 9]], size);
  const rings = geometry.ringsOfPath(outlinePath(masks.contours().polygons(0)));
  expect(geometry.boundsOf(rings)).toEqual(Array.from(masks.boxes()));
});

test('a simplified outline is near every corner that it omits, and is not longer', () => {
  const next = random(8);
  for (let k = 0; k < 30; k++) {
    const count = 3 + Math.floor(60 * next());
    const points = Array.from({ length: count }, (_, i) => {
      const angle = (2 * Math.PI * i) / count;
      const radius = 8 + 2 * next();
      return [12 + radius * Math.cos(angle), 12 + radius * Math.sin(angle)];
    }).flat();
    const tolerance = 0.1 + 2 * next();
    const simple = geometry.simplify(points, tolerance);
    expect(simple.length).toBeGreaterThanOrEqual(6);
    expect(simple.length).toBeLessThanOrEqual(points.length);
    for (let i = 0; i < points.length; i += 2) {
      const { distance } = geometry.nearestSide([simple], points[i]!, points[i + 1]!);
      expect(distance).toBeLessThanOrEqual(tolerance + 1e-9);
    }
  }
});

test('steps of a slanted outline are removed', () => {
  const stairs = Array.from({ length: 20 }, (_, i) => [i, i, i + 1, i]).flat();
  expect(geometry.simplify([...stairs, 20, 20, 0, 20], 0.75).length).toBeLessThanOrEqual(10);
});

test('places are inside the image, in hundredths of a pixel', () => {
  expect(geometry.insideImage(-3, 99, size)).toEqual([0, 18]);
  expect(geometry.insideImage(1.23456, 2, size)).toEqual([1.23, 2]);
});

test('edits are never changed', () => {
  const frozen = Object.freeze({
    removed: Object.freeze([]),
    changed: Object.freeze([]),
    added: Object.freeze([]),
  }) as unknown as Edits;
  const { edits: one, key } = edits.addCell(frozen, [ring]);
  expect(one.added).toEqual([{ id: 0, polygons: [ring] }]);
  expect(edits.removeCell(one, key)).toEqual(none);
  expect(edits.removeCell(frozen, 'p4')).toEqual({ ...none, removed: [4] });
});

test('ids of added cells are not used twice in an image', () => {
  const first = edits.addCell(none, [ring]);
  const second = edits.addCell(first.edits, [ring], 'other');
  const third = edits.addCell(edits.removeCell(second.edits, first.key), [ring]);
  expect(third.edits.added.map(({ id }) => id)).toEqual([1, 2]);
});

test('a cell that has its predicted class again is not changed', () => {
  const changed = edits.changeCell(none, 'p1', { class: 'other' }, 'cell');
  expect(changed.changed).toEqual([{ cell: 1, class: 'other' }]);
  expect(edits.changeCell(changed, 'p1', { class: 'cell' }, 'cell')).toEqual(none);
  const redrawn = edits.changeCell(changed, 'p1', { polygons: [ring] }, 'cell');
  expect(redrawn.changed).toEqual([{ cell: 1, polygons: [ring], class: 'other' }]);
  expect(edits.removeCell(redrawn, 'p1')).toEqual({ ...none, removed: [1] });
});

test('the predicted cell type is no change', () => {
  const changed = edits.changeType(none, 'cort', 'astro');
  expect(changed).toEqual({ ...none, cellType: 'cort' });
  expect(edits.changeType(changed, 'astro', 'astro')).toEqual(none);
});

test('undo and redo go through all states, and a new change ends redo', () => {
  const history = new edits.History(none);
  expect([history.undo(), history.redo()]).toEqual([false, false]);
  const states = [none];
  for (let i = 0; i < 3; i++) {
    states.push(edits.removeCell(states.at(-1)!, `p${i}`));
    history.push(states.at(-1)!);
  }
  for (const state of states.toReversed().slice(1)) {
    expect(history.undo()).toBe(true);
    expect(history.edits).toBe(state);
  }
  expect(history.canUndo).toBe(false);
  for (const state of states.slice(1)) {
    expect(history.redo()).toBe(true);
    expect(history.edits).toBe(state);
  }
  history.undo();
  history.push(none);
  expect(history.canRedo).toBe(false);
  history.drop();
  expect(history.edits).toBe(states[2]);
});
