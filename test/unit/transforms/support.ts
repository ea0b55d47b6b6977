import { Masks } from '../../../lib/mask/masks.js';
import type { NativeSamplePlan } from '../../../lib/native/contract.js';
import { runJob } from '../../../lib/native/job.js';
import { native } from '../../../lib/native/load.js';
import { Frame } from '../../../lib/transforms/frame.js';
import type { Draft } from '../../../lib/transforms/kind.js';
import { nativePlan } from '../../../lib/transforms/plan.js';
import { type Dense, dense } from './reference.js';

export const typeRange = { kind: 'type-range', low: 1, high: 99 } as const;

/** A draft with only a frame. */
export const draftOf = (frame: Frame, rest: Partial<Draft> = {}): Draft => ({
  frame,
  photometric: [],
  fill: 0,
  ...rest,
});

export interface Sampled {
  image: Dense;
  masks: Masks;
  kept: number[];
}

/** Planes as a float image with unchanged values. */
export async function sampleOf(
  image: Dense,
  cells: readonly Dense[],
  draft: Draft,
  plan: Partial<NativeSamplePlan> = {},
  minVisible = 0,
): Promise<Sampled> {
  const { width, height, planes } = image;
  const data = new Float32Array(width * height * planes.length);
  for (let i = 0; i < data.length; i++) data[i] = planes[i % planes.length]![Math.floor(i / planes.length)]!;
  const bits = Uint8Array.from(cells.flatMap((cell) => [...cell.planes[0]!]));
  const masks = Masks.encode(bits, { width, height, count: cells.length });
  const sample = await runJob({}, (call) =>
    native().prepareSample(
      { data, width, height, channels: planes.length },
      masks.toBatch(),
      { ...nativePlan(draft, typeRange, minVisible), ...plan },
      call,
    ),
  );
  const size = sample.masks.width * sample.masks.height;
  expect(sample.pixels).toHaveLength(3 * size);
  return {
    image: dense(
      sample.masks.width,
      sample.masks.height,
      (x, y, plane) => sample.pixels[plane * size + y * sample.masks.width + x]!,
      planes.length < 3 ? 1 : 3,
    ),
    masks: Masks.fromBatch(sample.masks),
    kept: [...sample.kept],
  };
}

/** Masks as dense images. */
export const cellsOf = (masks: Masks): Dense[] =>
  Array.from({ length: masks.length }, (_, i) => {
    const bits = masks.decode(i);
    return dense(masks.width, masks.height, (x, y) => bits[y * masks.width + x]!);
  });

export const whole = (image: { width: number; height: number }) => Frame.of(image);
