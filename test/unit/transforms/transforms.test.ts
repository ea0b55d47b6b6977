import { random } from '../../../lib/data/random.js';
import { Frame } from '../../../lib/transforms/frame.js';
import * as transforms from '../../../lib/transforms/index.js';
import { readTransforms, type Transform } from '../../../lib/transforms/index.js';
import type { Draft } from '../../../lib/transforms/kind.js';
import { planSample } from '../../../lib/transforms/plan.js';
import { thrown } from '../../support/sdk.js';
import { dense, misaligned } from './reference.js';
import { cellsOf, draftOf, sampleOf, typeRange } from './support.js';

const size = { width: 40, height: 30 };
const draws = (chain: readonly Transform[], from = size, count = 300): Draft[] =>
  Array.from({ length: count }, (_, i) => planSample(chain, from, random(1, 'test', i)));
const frames = (chain: readonly Transform[], from = size) => draws(chain, from).map(({ frame }) => frame);
const share = <T>(items: readonly T[], holds: (item: T) => boolean) =>
  items.filter(holds).length / items.length;

/** Every transform with all its options. */
const all: Transform[] = [
  transforms.flipHorizontal({ p: 0.25 }),
  transforms.flipVertical(),
  transforms.quarterTurns(),
  transforms.scaleJitter({ min: 0.5, max: 2 }),
  transforms.randomCrop({ width: 20, height: 20 }),
  transforms.cropAndUpscale({ width: 16, height: 16, scale: 2 }),
  transforms.resize({ width: 48, height: 32, method: 'crop', position: 'random' }),
  transforms.shortSide({ minSize: 40, maxSize: 90 }),
  transforms.pad({ width: 64, height: 64, fill: 0.5 }),
  transforms.intensity({ brightness: 0.2, contrast: 0.1, gamma: 0.3 }),
];

describe('as JSON', () => {
  test('a chain can be written and read', () => {
    expect(readTransforms(JSON.parse(JSON.stringify(all)), 'transforms')).toEqual(all);
  });

  test('missing options have defaults', () => {
    expect(readTransforms([{ kind: 'flip-horizontal' }, { kind: 'intensity' }], 'transforms')).toEqual([
      { kind: 'flip-horizontal', p: 0.5 },
      { kind: 'intensity', brightness: 0, contrast: 0, gamma: 0 },
    ]);
    expect(readTransforms([{ kind: 'resize', width: 5, height: 6 }], 'transforms')).toEqual([
      { kind: 'resize', width: 5, height: 6, method: 'crop', position: 'centre' },
    ]);
  });

  test.each([
    [{}, 'transforms', /array of transforms/],
    [[null], 'transforms[0]', /an object/],
    [[{ kind: 'blur' }], 'transforms[0].kind', /one of 'flip-horizontal'/],
    [[{ p: 0.5 }], 'transforms[0].kind', /received undefined/],
    [[{ kind: 'flip-vertical', p: 2 }], 'transforms[0].p', /from 0 to 1/],
    [[{ kind: 'flip-vertical', q: 2 }], 'transforms[0].q', /did you mean p|known are/],
    [[{ kind: 'flip-vertical' }, { kind: 'random-crop', height: 5 }], 'transforms[1].width', /an integer/],
    [[{ kind: 'random-crop', width: 0, height: 5 }], 'transforms[0].width', /from 1/],
    [[{ kind: 'random-crop', width: 5.5, height: 5 }], 'transforms[0].width', /an integer/],
    [[{ kind: 'crop-and-upscale', width: 5, height: 5, scale: 0.5 }], 'transforms[0].scale', /from 1/],
    [[{ kind: 'scale-jitter', min: 2, max: 1 }], 'transforms[0].min', /at most max/],
    [[{ kind: 'scale-jitter', max: 1 }], 'transforms[0].min', /a number/],
    [[{ kind: 'intensity', gamma: Number.NaN }], 'transforms[0].gamma', /a number/],
    [[{ kind: 'resize', width: 5, height: 5, method: 'zoom' }], 'transforms[0].method', /'squish'/],
    [[{ kind: 'pad', width: 5, height: 5, fill: 'black' }], 'transforms[0].fill', /a number/],
  ])('%j is refused with the path %s', (value, option, message) => {
    const error = thrown(() => readTransforms(value, 'transforms'));
    expect(error).toMatchObject({ code: 'INVALID_CONFIG', details: { option } });
    expect(error.message).toMatch(message);
  });

  test('a factory function refuses the same values', () => {
    expect(thrown(() => transforms.randomCrop({ width: -1, height: 4 }))).toMatchObject({
      code: 'INVALID_CONFIG',
      details: { option: 'width' },
    });
    expect(Object.isFrozen(transforms.quarterTurns())).toBe(true);
  });
});

describe('random choices', () => {
  test('depend only on the random path', () => {
    for (let i = 0; i < 20; i++) {
      expect(planSample(all, size, random(3, 'x', i))).toEqual(planSample(all, size, random(3, 'x', i)));
    }
    const different = new Set(draws(all).map((draft) => JSON.stringify(draft)));
    expect(different.size).toBeGreaterThan(290);
  });

  test('flips have the given probability', () => {
    const plain = Frame.of(size);
    const flipped = frames([transforms.flipHorizontal({ p: 0.25 })]).map(
      ({ horizontal }) => horizontal.step < 0,
    );
    expect(Math.abs(share(flipped, Boolean) - 0.25)).toBeLessThan(0.08);
    expect(new Set(frames([transforms.flipHorizontal({ p: 1 })]).map((f) => f.horizontal.step))).toEqual(
      new Set([-1]),
    );
    expect(frames([transforms.flipVertical({ p: 0 })]).every((frame) => frame.vertical.step === 1)).toBe(
      true,
    );
    expect(frames([transforms.flipVertical({ p: 1 })])[0]).toEqual(plain.flipVertical());
    const turned = frames([transforms.quarterTurns()]);
    for (let quarters = 0; quarters < 4; quarters++) {
      const expected = JSON.stringify(plain.turn(quarters));
      expect(Math.abs(share(turned, (frame) => JSON.stringify(frame) === expected) - 0.25)).toBeLessThan(
        0.08,
      );
    }
  });

  test('crops reach every position up to the borders, and never beyond', () => {
    const lefts = new Set<number>();
    const tops = new Set<number>();
    for (const frame of frames([transforms.randomCrop({ width: 36, height: 27 })])) {
      expect([frame.width, frame.height]).toEqual([36, 27]);
      lefts.add(frame.horizontal.origin);
      tops.add(frame.vertical.origin);
    }
    expect([...lefts].sort()).toEqual([0, 1, 2, 3, 4]);
    expect([...tops].sort()).toEqual([0, 1, 2, 3]);
  });

  test('an image smaller than the crop is not cropped on that side', () => {
    for (const { width, height, horizontal } of frames([transforms.randomCrop({ width: 400, height: 10 })])) {
      expect([width, height, horizontal.origin]).toEqual([40, 10, 0]);
    }
    for (const frame of frames([transforms.cropAndUpscale({ width: 20, height: 300, scale: 2.5 })])) {
      expect([frame.width, frame.height]).toEqual([50, 75]);
      expect(frame.horizontal.step).toBeCloseTo(0.4, 12);
      expect(frame.vertical.step).toBeCloseTo(0.4, 12);
    }
  });

  test('scale jitter covers its range', () => {
    const widths = frames([transforms.scaleJitter({ min: 0.5, max: 2 })]).map(({ width }) => width);
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(20);
    expect(Math.min(...widths)).toBeLessThan(24);
    expect(Math.max(...widths)).toBeLessThanOrEqual(80);
    expect(Math.max(...widths)).toBeGreaterThan(76);
    const tiny = frames([transforms.scaleJitter({ min: 0.05, max: 0.05 })], { width: 1, height: 3 });
    expect([tiny[0]!.width, tiny[0]!.height]).toEqual([1, 1]);
  });

  test('padding centres the image and does not change larger ones', () => {
    const [frame] = frames([transforms.pad({ width: 51, height: 10 })]);
    expect([frame!.width, frame!.height]).toEqual([51, 30]);
    expect([frame!.horizontal.origin, frame!.vertical.origin]).toEqual([-5, 0]);
    expect([frame!.horizontal.first, frame!.horizontal.end]).toEqual([0, 40]);
  });

  test('resize gives exactly the requested size', () => {
    for (const method of ['crop', 'squish'] as const) {
      for (const position of ['centre', 'random'] as const) {
        for (const [width, height] of [
          [224, 224],
          [7, 31],
          [1, 1],
        ] as const) {
          const chain = [
            transforms.scaleJitter({ min: 0.3, max: 3 }),
            transforms.resize({ width, height, method, position }),
          ];
          for (const frame of frames(chain)) expect([frame.width, frame.height]).toEqual([width, height]);
        }
      }
    }
    const [inside] = frames([transforms.resize({ width: 20, height: 20, method: 'inside' })]);
    expect([inside!.width, inside!.height]).toEqual([20, 15]);
  });

  test.each([
    [40, 30, 60, 100, 80, 60],
    [40, 30, 60, 70, 70, 52],
    [704, 520, 800, 1333, 1083, 800],
    [1, 500, 10, 20, 1, 20],
  ])(
    'short-side scales %i × %i with %i and %i like the network',
    (width, height, minSize, maxSize, ...expected) => {
      const { frame } = planSample(
        [transforms.shortSide({ minSize, maxSize })],
        { width, height },
        random(1),
      );
      expect([frame.width, frame.height]).toEqual(expected);
    },
  );

  test('resize by crop uses the centre, or a random part with that aspect ratio', () => {
    const middle = transforms.resize({ width: 60, height: 60 });
    const [frame] = frames([middle]);
    expect(frame!.horizontal).toMatchObject({ origin: 5, step: 0.5 });
    expect(frame!.vertical).toMatchObject({ origin: 0, step: 0.5 });
    const anywhere = frames([transforms.resize({ width: 60, height: 60, position: 'random' })]);
    expect(new Set(anywhere.map(({ horizontal }) => horizontal.origin)).size).toBe(11);
  });

  test('intensity draws its factors from 1 - x to 1 + x', () => {
    const drawn = draws([transforms.intensity({ brightness: 0.2, gamma: 0.5 })]).map(
      ({ photometric }) => photometric[0]!,
    );
    for (const { brightness, contrast, gamma } of drawn) {
      expect(Math.abs(brightness - 1)).toBeLessThanOrEqual(0.2);
      expect(Math.abs(gamma - 1)).toBeLessThanOrEqual(0.5);
      expect(contrast).toBe(1);
    }
    expect(Math.max(...drawn.map(({ brightness }) => brightness))).toBeGreaterThan(1.18);
    expect(Math.min(...drawn.map(({ gamma }) => gamma))).toBeLessThan(0.55);
  });

  test('a sample that is too large is refused before memory is allocated', () => {
    const chain = [transforms.scaleJitter({ min: 20, max: 20 })];
    expect(thrown(() => planSample(chain, { width: 700, height: 700 }, random(1)))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { option: 'transforms' },
    });
  });
});

test('images and masks stay aligned with all transforms', async () => {
  const geometric = all.filter(({ kind }) => kind !== 'intensity' && kind !== 'pad');
  for (let round = 0; round < 60; round++) {
    const draw = random(9, round);
    const [cx, cy, radius] = [draw.uniform(0, size.width), draw.uniform(0, size.height), draw.uniform(6, 20)];
    const disc = dense(size.width, size.height, (x, y) =>
      Number(Math.hypot(x + 0.5 - cx, y + 0.5 - cy) < radius),
    );
    const draft = planSample(
      [...draw.shuffle(geometric), transforms.pad({ width: 50, height: 50 })],
      size,
      draw,
    );
    const { image, masks } = await sampleOf(disc, [disc], draft);
    const mask = masks.length > 0 ? cellsOf(masks)[0]! : dense(image.width, image.height, () => 0);
    expect(misaligned(image, mask)).toEqual([]);
  }
});

describe('values', () => {
  const draw = random(8, 'values');
  const rgb = dense(9, 7, () => Math.fround(draw.uniform()), 3);
  const clamp = (value: number) => Math.min(Math.max(value, 0), 1);

  test('brightness, contrast and gamma equal torchvision’s, one after the other', async () => {
    const chain = [
      { brightness: 1.3, contrast: 1, gamma: 1 },
      { brightness: 0.9, contrast: 1.6, gamma: 0.7 },
      { brightness: 1, contrast: 0.5, gamma: 1.8 },
    ];
    for (const image of [rgb, { ...rgb, planes: [rgb.planes[0]!] }]) {
      const weights = image.planes.length === 3 ? [0.2989, 0.587, 0.114] : [1];
      let expected = image.planes.map((plane) => [...plane]);
      for (const { brightness, contrast, gamma } of chain) {
        const map = (change: (value: number) => number) => {
          expected = expected.map((plane) => plane.map((value) => clamp(change(value))));
        };
        map((value) => value * brightness);
        const count = expected[0]!.length;
        const mean = expected.reduce(
          (sum, plane, c) => sum + (weights[c]! * plane.reduce((a, b) => a + b, 0)) / count,
          0,
        );
        map((value) => contrast * value + (1 - contrast) * mean);
        map((value) => value ** gamma);
      }
      const { image: found } = await sampleOf(image, [], draftOf(Frame.of(image), { photometric: chain }));
      found.planes.forEach((plane, c) => {
        plane.forEach((value, i) => {
          expect(Math.abs(value - expected[c]![i]!)).toBeLessThan(2e-6);
        });
      });
    }
  });

  test('neither the fill nor cropped parts are adjusted or included in the mean', async () => {
    const photometric = [{ brightness: 1, contrast: 0, gamma: 1 }];
    const frame = Frame.of(rgb).crop(2, 1, 3, 4).crop(-1, 0, 5, 4);
    const { image } = await sampleOf(rgb, [], draftOf(frame, { photometric, fill: 0.75 }));
    const part = [2, 3, 4].flatMap((x) => [1, 2, 3, 4].map((y) => y * 9 + x));
    const mean = [0.2989, 0.587, 0.114].reduce(
      (sum, weight, c) => sum + (weight * part.reduce((a, i) => a + rgb.planes[c]![i]!, 0)) / part.length,
      0,
    );
    image.planes.forEach((plane) => {
      plane.forEach((value, i) => {
        expect(value).toBeCloseTo(i % 5 === 0 || i % 5 === 4 ? 0.75 : mean, 5);
      });
    });
  });

  test('factors of 1 do not change values, even outside 0..1', async () => {
    const wide = dense(3, 2, (x, y) => x * 4 - y * 9);
    const photometric = [{ brightness: 1, contrast: 1, gamma: 1 }];
    const { image } = await sampleOf(wide, [], draftOf(Frame.of(wide), { photometric }));
    expect(image.planes).toEqual(wide.planes);
  });

  test("the model's intensity rule uses the whole image, not the crop", async () => {
    const ramp = dense(10, 1, (x) => x * x);
    const frame = Frame.of(ramp).crop(3, 0, 4, 1);
    const rules = { 'min-max': [0, 81], percentile: [0.9, 71.82] } as const;
    for (const [kind, [low, high]] of Object.entries(rules)) {
      const intensity = { ...typeRange, low: 10, high: 94, kind: kind as keyof typeof rules };
      const { image } = await sampleOf(ramp, [], draftOf(frame), { intensity });
      image.planes[0]!.forEach((value, i) => {
        expect(value).toBeCloseTo(clamp(((i + 3) ** 2 - low) / (high - low)), 4);
      });
    }
  });
});

describe('cells', () => {
  const field = { width: 20, height: 10 };
  const image = dense(field.width, field.height, () => 0);
  /** 10 pixels wide, 4 high. */
  const cell = dense(field.width, field.height, (x, y) => Number(x >= 5 && x < 15 && y >= 3 && y < 7));
  const speck = dense(field.width, field.height, (x, y) => Number(x === 19 && y === 0));

  test.each([
    [0, [0]],
    [0.3, [0]],
    [0.301, []],
    [1, []],
  ])('with a visible share below %d are dropped', async (minVisible, kept) => {
    // Three of the cell's ten columns remain.
    const frame = Frame.of(field).crop(0, 0, 8, 10);
    expect((await sampleOf(image, [cell, speck], draftOf(frame), {}, minVisible)).kept).toEqual(kept);
  });

  test('the share is that of visible pixels, whatever the scale', async () => {
    const seen = async (frame: Frame, minVisible: number) =>
      (await sampleOf(image, [cell], draftOf(frame), {}, minVisible)).kept.length === 1;
    const half = Frame.of(field).crop(0, 0, 10, 10);
    for (const frame of [half, half.resize(33, 41), half.turn(1), half.flipHorizontal().resize(5, 5)]) {
      expect([await seen(frame, 0.5), await seen(frame, 0.51)]).toEqual([true, false]);
    }
    expect(await seen(Frame.of(field).resize(8, 5), 1)).toBe(true);
  });

  test('a cell that is too small after scaling is dropped', async () => {
    const { kept, masks } = await sampleOf(image, [speck, cell], draftOf(Frame.of(field).resize(5, 3)));
    expect(kept).toEqual([1]);
    expect(masks.length).toBe(1);
  });

  test('an image without cells, and a crop without cells', async () => {
    expect((await sampleOf(image, [], draftOf(Frame.of(field)))).masks.length).toBe(0);
    const { masks } = await sampleOf(image, [cell], draftOf(Frame.of(field).crop(0, 0, 3, 3)));
    expect([masks.length, masks.width, masks.height]).toEqual([0, 3, 3]);
  });
});
