import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { checkObject, refuse } from '../check.js';
import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import { fitIntensity } from '../image/intensity.js';
import type { Slide } from '../image/slide.js';
import type { RawImage } from '../image/types.js';
import type { NativeRange, NativeSegmentOptions, NativeTiling } from '../native/contract.js';
import type { Call } from '../native/job.js';
import { native } from '../native/load.js';
import { fingerprintOf } from './fingerprint.js';
import type { LoadedModel } from './model.js';
import type { Precision } from './precision.js';
import type { LevelChoice } from './slide-level.js';
import { type BackgroundRule, DEFAULT_CONTRAST, type SlideSegmentOptions } from './slide-options.js';
import { contrastOf, readSample } from './slide-sample.js';
import { planTiles } from './tiled.js';

/** Settings that all tiles of a slide share. The plan is plain data: it can be written as JSON and used in another process. */
export interface SlidePlan {
  /** Hash of the slide, the model and the options. */
  readonly id: string;
  /** Fingerprint of the slide. */
  readonly image: string;
  /** Fingerprint of the network's weights and precision. */
  readonly model: string;
  /** Index of the segmented level, its size in pixels, and pixels of level 0 per pixel of the level. */
  readonly level: number;
  readonly width: number;
  readonly height: number;
  readonly downsample: number;
  /** The scale that the result reports. */
  readonly scale: number;
  /** Tiles per row, and rows of tiles. */
  readonly columns: number;
  readonly rows: number;
  /** @internal */
  readonly tiling: NativeTiling;
  /** @internal */
  readonly request: NativeSegmentOptions;
  /** @internal */
  readonly raisesLimits: boolean;
  /** @internal */
  readonly range: NativeRange | null;
  /** Tiles with a lower contrast are background and skipped; null if no tile is skipped. */
  readonly background: number | null;
  /** Result of the ensemble's router; null for a single segmenter. */
  readonly route: SlideRoute | null;
  readonly notices: readonly string[];
}

/** The cell type of a slide by an ensemble's router, and the segmenter that is used. */
export interface SlideRoute {
  readonly cellType: string;
  readonly probabilities: Record<string, number>;
  readonly segmenter: string;
}

/** A network that segments slides. */
export interface SlideNetwork {
  model: LoadedModel;
  config: MaskRCNNConfig;
  precision: Precision;
}

/** Inputs of {@link makePlan} in addition to the slide and the level. */
export interface PlanRequest {
  request: NativeSegmentOptions;
  raisesLimits: boolean;
  options: SlideSegmentOptions;
  route: SlideRoute | null;
  notices: readonly string[];
  /** Whether the plan is stored or sent to another process. Its id then includes a hash of the weights, which takes time. */
  identified: boolean;
}

/** Makes the plan of a level: measures the range of intensities and the contrast of the background. */
export async function makePlan(
  own: Call,
  network: SlideNetwork,
  slide: Slide,
  choice: LevelChoice,
  { request, raisesLimits, options, route, notices, identified }: PlanRequest,
): Promise<SlidePlan> {
  const { model, config, precision } = network;
  const { level, width, height, downsample, scale, tiling } = choice;
  const { columns, rows } = planTiles(model, { width, height, tiling });
  const sample = await readSample(slide, level, choice, own.signal);
  const fitting = await fitIntensity(config.intensity, sample);
  const range = await model.runIn(own, (_, job) => native().measureRange(sample, config.intensity, job));
  const decided = {
    level,
    width,
    height,
    downsample,
    scale,
    columns: columns.length / 2,
    rows: rows.length / 2,
    tiling,
    request,
    raisesLimits,
    range,
    background: await backgroundOf(options.skipBackground, sample),
    route,
  };
  const image = (await imageFingerprint(own, slide)) ?? hashOf(sample);
  const weights = identified ? await fingerprintOf(own, model, precision) : '';
  const plan = { image, model: weights, ...decided };
  return { id: idOf(plan), ...plan, notices: [...notices, ...fitting] };
}

/** The properties of a plan that decide the cells of a slide. */
const DECISIVE = [
  ...(['image', 'model', 'level', 'width', 'height', 'downsample', 'scale', 'columns', 'rows'] as const),
  ...(['tiling', 'request', 'raisesLimits', 'range', 'background', 'route'] as const),
] as const;

function idOf(plan: Pick<SlidePlan, (typeof DECISIVE)[number]>): string {
  const decisive = Object.fromEntries(DECISIVE.map((key) => [key, plan[key]]));
  const request = { ...plan.request, profile: false };
  return createHash('sha256')
    .update(canonicalJson([VERSION, { ...decisive, request }]))
    .digest('hex');
}

/** The fingerprint of a slide that has one. Not waited for after an abort: a caller's own slide may not observe the signal. */
export const imageFingerprint = async (own: Call, slide: Slide): Promise<string | undefined> =>
  slide.fingerprint && own.untilStopped(slide.fingerprint({ signal: own.signal }));

/** Version of the plan's format and of its interpretation by native code. */
const VERSION = 1;

async function backgroundOf(
  skip: boolean | BackgroundRule | undefined,
  sample: RawImage,
): Promise<number | null> {
  if (skip === undefined || skip === false) return null;
  const { contrast = DEFAULT_CONTRAST } = skip === true ? {} : skip;
  return contrast * (await contrastOf(sample));
}

function hashOf({ data, width, height, channels }: RawImage): string {
  return createHash('sha256')
    .update(JSON.stringify([width, height, channels]))
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex');
}

/** Refuses a value that is not a plan, and a plan that was changed. @internal */
export function checkPlan(plan: SlidePlan): void {
  checkObject('plan', plan);
  if (plan.model === '' || plan.id !== idOf(plan)) {
    throw refuse('plan', 'an unchanged plan, as planSlide returns it', plan);
  }
}

/** Refuses a plan of another network. @internal */
export async function checkPlanModel(
  own: Call,
  plan: SlidePlan,
  { model, precision }: SlideNetwork,
): Promise<void> {
  if ((await fingerprintOf(own, model, precision)) !== plan.model) {
    throw refuse('plan', 'a plan of this model', plan);
  }
}
