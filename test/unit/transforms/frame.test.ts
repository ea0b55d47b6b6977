import { random } from '../../../lib/data/random.js';
import { toCocoBoxes } from '../../../lib/mask/boxes.js';
import { Frame } from '../../../lib/transforms/frame.js';
import * as slow from './reference.js';
import { type Dense, dense, misaligned } from './reference.js';
import { cellsOf, draftOf, sampleOf, whole } from './support.js';

/** An image of different pixels, with cells at each border, in the middle, of one pixel, and of all pixels. */
function scene(width: number, height: number, planes = 1): { image: Dense; cells: Dense[] } {
  const image = dense(width, height, (x, y, plane) => (1 + x + y * width + plane / 4) / 4096, planes);
  const rectangle = (left: number, top: number, w: number, h: number) =>
    dense(width, height, (x, y) => Number(x >= left && y >= top && x < left + w && y < top + h));
  const cells = [
    rectangle(0, 0, 1, 1),
    rectangle(width - 1, height - 1, 1, 1),
    rectangle(0, 0, width, 1),
    rectangle(0, 0, 1, height),
    rectangle(width - 1, 0, 1, height),
    rectangle(0, height - 1, width, 1),
    rectangle(0, 0, width, height),
    rectangle(Math.floor(width / 3), Math.floor(height / 4), Math.ceil(width / 3), Math.ceil(height / 2)),
    dense(width, height, (x, y) => ((x * 7 + y * 3) % 5) & 1),
    dense(width, height, (x, y) =>
      Number((x - width / 2) ** 2 / width + (y - height / 2) ** 2 / height < Math.min(width, height) / 6),
    ),
  ];
  return { image, cells: cells.filter((cell) => cell.planes[0]!.includes(1)) };
}

const sizes = [
  [1, 1],
  [1, 5],
  [7, 1],
  [2, 2],
  [5, 3],
  [16, 9],
  [13, 31],
] as const;

/** One operation on a frame, and the same on dense arrays. */
interface Step {
  name: string;
  frame(frame: Frame): Frame;
  slow(image: Dense, fill: number): Dense;
}

const steps: Record<string, Step> = {
  flipHorizontal: { name: 'flip h', frame: (f) => f.flipHorizontal(), slow: slow.flipHorizontal },
  flipVertical: { name: 'flip v', frame: (f) => f.flipVertical(), slow: slow.flipVertical },
  quarterTurn: { name: 'turn', frame: (f) => f.turn(1), slow: slow.quarterTurn },
};
const cropStep = (left: number, top: number, width: number, height: number): Step => ({
  name: `crop ${left} ${top} ${width} ${height}`,
  frame: (f) => f.crop(left, top, width, height),
  slow: (p, fill) => slow.crop(p, left, top, width, height, fill),
});

async function expectLikeSlow(chain: Step[], { image, cells }: ReturnType<typeof scene>, fill = 0) {
  const frame = chain.reduce((f, step) => step.frame(f), whole(image));
  const { image: found, masks, kept } = await sampleOf(image, cells, draftOf(frame, { fill }));
  const expected = chain.reduce((p, step) => step.slow(p, fill), image);
  expect([found.width, found.height]).toEqual([expected.width, expected.height]);
  expect(found.planes).toEqual(expected.planes.map((plane) => Float64Array.from(plane, Math.fround)));
  const left = cells
    .map((cell, index) => ({ index, cell: chain.reduce((p, step) => step.slow(p, 0), cell) }))
    .filter(({ cell }) => cell.planes[0]!.includes(1));
  expect(kept).toEqual(left.map(({ index }) => index));
  expect(cellsOf(masks)).toEqual(left.map(({ cell }) => cell));
  // Half-open: the box ends where the last pixel does.
  expect([...toCocoBoxes(masks.boxes())]).toEqual(left.flatMap(({ cell }) => slow.boxOf(cell)));
}

describe.each(sizes)('an image of %i × %i', (width, height) => {
  test.each(Object.values(steps).map((step) => [step.name, step] as const))('%s', async (_, step) => {
    await expectLikeSlow([step], scene(width, height));
    await expectLikeSlow([step], scene(width, height, 3));
  });

  test('two flips and four turns change nothing', async () => {
    for (const [step, times] of [
      [steps.flipHorizontal!, 2],
      [steps.flipVertical!, 2],
      [steps.quarterTurn!, 4],
    ] as const) {
      const content = scene(width, height);
      const frame = Array.from({ length: times }, () => step).reduce(
        (f, s) => s.frame(f),
        whole(content.image),
      );
      expect(frame).toEqual(whole(content.image));
      await expectLikeSlow(
        Array.from({ length: times }, () => step),
        content,
      );
    }
  });

  test('quarter turns in both directions', async () => {
    const content = scene(width, height);
    for (let quarters = -5; quarters <= 6; quarters++) {
      const step: Step = {
        name: '',
        frame: (f) => f.turn(quarters),
        slow: (p) => Array.from({ length: (quarters + 8) % 4 }).reduce<Dense>((q) => slow.quarterTurn(q), p),
      };
      await expectLikeSlow([step], content);
    }
  });

  test('crops at every position', async () => {
    const content = scene(width, height);
    const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    for (let left = 0; left <= width - w; left++) {
      for (let top = 0; top <= height - h; top++) await expectLikeSlow([cropStep(left, top, w, h)], content);
    }
  });

  test('crops beyond the border are filled, and masks end there', async () => {
    const content = scene(width, height, 3);
    await expectLikeSlow([cropStep(-2, -3, width + 5, height + 4)], content, 0.5);
    await expectLikeSlow([cropStep(width - 1, height - 1, 4, 3)], content, 0.25);
    await expectLikeSlow([cropStep(-9, 0, 4, height)], content, 0.25);
    await expectLikeSlow([cropStep(width + 1, height + 2, 3, 3), cropStep(-4, -4, 6, 6)], content, 0.25);
  });

  test('a second crop does not restore what the first removed', async () => {
    const content = scene(width, height);
    const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    await expectLikeSlow([cropStep(1, 1, w, h), cropStep(-1, -1, width, height)], content, 1);
  });
});

test('random chains of flips, turns and crops equal the operations one after the other', async () => {
  for (let round = 0; round < 200; round++) {
    const draw = random(4, 'chains', round);
    const content = scene(draw.integer(1, 20), draw.integer(1, 20), draw.chance(0.5) ? 1 : 3);
    const chain: Step[] = [];
    let frame = whole(content.image);
    for (let length = draw.integer(1, 6); length > 0; length--) {
      const kind = draw.integer(0, 3);
      const named = [steps.flipHorizontal!, steps.flipVertical!, steps.quarterTurn!];
      const { width, height } = frame;
      const step =
        named[kind] ??
        cropStep(
          draw.integer(-3, width - 1),
          draw.integer(-3, height - 1),
          draw.integer(1, width + 3),
          draw.integer(1, height + 3),
        );
      chain.push(step);
      frame = step.frame(frame);
    }
    await expectLikeSlow(chain, content, draw.uniform());
  }
});

describe('scaling', () => {
  const noise = (width: number, height: number, planes = 1) => {
    const draw = random(5, 'noise', width, height);
    return dense(width, height, () => Math.fround(draw.uniform()), planes);
  };
  const blobs = (width: number, height: number) => scene(width, height).cells;

  test.each([
    [10, 8, 20, 16],
    [10, 8, 25, 9],
    [10, 8, 5, 4],
    [31, 17, 7, 40],
    [31, 17, 1, 1],
    [1, 1, 9, 5],
    [3, 40, 4, 7],
    [16, 16, 16, 16],
  ])(
    '%i × %i to %i × %i: bilinear in the image, nearest in the masks',
    async (width, height, toWidth, toHeight) => {
      for (const planes of [1, 3]) {
        const image = noise(width, height, planes);
        const cells = blobs(width, height);
        const frame = whole(image).resize(toWidth, toHeight);
        const { image: found, masks, kept } = await sampleOf(image, cells, draftOf(frame));
        const expected = slow.resizeBilinear(image, toWidth, toHeight);
        expectNear(found, expected, 2e-6);
        expect(cellsOf(masks)).toEqual(
          kept.map((index) => slow.resizeNearest(cells[index]!, toWidth, toHeight)),
        );
        const gone = cells.filter((_, index) => !kept.includes(index));
        for (const cell of gone)
          expect(slow.resizeNearest(cell, toWidth, toHeight).planes[0]).not.toContain(1);
      }
    },
  );

  test('a crop of a scaled image equals that part of the whole, with all flips and turns', async () => {
    for (let round = 0; round < 60; round++) {
      const draw = random(6, 'scaled', round);
      const image = noise(draw.integer(2, 24), draw.integer(2, 24), draw.chance(0.5) ? 1 : 3);
      const cells = blobs(image.width, image.height);
      // No factor whose pixels' centres fall on the edge between two: which of these is taken is nobody's promise.
      const scaled = [image.width * 3, image.height * 3] as const;
      const [left, top] = [draw.integer(-2, scaled[0] - 1), draw.integer(-2, scaled[1] - 1)];
      const [w, h] = [draw.integer(1, 30), draw.integer(1, 30)];
      const turns = draw.integer(0, 3);
      const mirrored = draw.chance(0.5);
      const whole3 = Frame.of(image)
        .resize(...scaled)
        .crop(left, top, w, h);
      const frame = (mirrored ? whole3.flipHorizontal() : whole3).turn(turns);
      const later = (p: Dense, fill: number) => {
        const part = slow.crop(p, left, top, w, h, fill);
        let result = mirrored ? slow.flipHorizontal(part) : part;
        for (let i = 0; i < turns; i++) result = slow.quarterTurn(result);
        return result;
      };
      const { image: found, masks, kept } = await sampleOf(image, cells, draftOf(frame, { fill: 0.5 }));
      const expected = later(slow.resizeBilinear(image, ...scaled), 0.5);
      expectNear(found, expected, 2e-6);
      expect(cellsOf(masks)).toEqual(
        kept.map((index) => later(slow.resizeNearest(cells[index]!, ...scaled), 0)),
      );
    }
  });

  test('image and mask stay aligned through random chains', async () => {
    for (let round = 0; round < 100; round++) {
      const draw = random(7, 'aligned', round);
      const [width, height] = [draw.integer(20, 60), draw.integer(20, 60)];
      const [cx, cy, r] = [draw.uniform(0, width), draw.uniform(0, height), draw.uniform(6, 25)];
      const disc = dense(width, height, (x, y) => Number(Math.hypot(x + 0.5 - cx, y + 0.5 - cy) < r));
      let frame = Frame.of(disc);
      for (let length = draw.integer(1, 5); length > 0; length--) {
        const { width: w, height: h } = frame;
        if (draw.chance(0.3)) frame = frame.flipHorizontal();
        if (draw.chance(0.5)) frame = frame.turn(draw.integer(0, 3));
        if (draw.chance(0.5))
          frame = frame.resize(scaledSide(w, draw.uniform(0.6, 1.8)), scaledSide(h, draw.uniform(0.6, 1.8)));
        if (draw.chance(0.5)) {
          frame = frame.crop(
            draw.integer(-2, 5),
            draw.integer(-2, 5),
            Math.max(1, frame.width - 4),
            Math.max(1, frame.height - 4),
          );
        }
      }
      const { image, masks } = await sampleOf(disc, [disc], draftOf(frame));
      const mask = masks.length > 0 ? cellsOf(masks)[0]! : dense(image.width, image.height, () => 0);
      expect(misaligned(image, mask)).toEqual([]);
    }
  });
});

const scaledSide = (pixels: number, factor: number) => Math.max(1, Math.round(pixels * factor));

function expectNear(found: Dense, expected: Dense, most: number) {
  expect([found.width, found.height, found.planes.length]).toEqual([
    expected.width,
    expected.height,
    expected.planes.length,
  ]);
  const worst = found.planes.flatMap((plane, c) =>
    [...plane].map((value, i) => Math.abs(value - expected.planes[c]![i]!)),
  );
  expect(Math.max(...worst)).toBeLessThanOrEqual(most);
}
