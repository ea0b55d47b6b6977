import { checkIterable, checkObject } from '../check.js';
import type { ImageRegion } from '../image/centred-part.js';
import type { ExplainMethod, Explanation } from '../inference/explanation.js';
import { shortest } from './text.js';

/** An explanation as a file. A reader should refuse a `version` that it does not know. */
export interface ExplanationJson {
  format: 'cellroute-explanation';
  version: 1;
  method: ExplainMethod;
  /** The class that is explained. */
  target: string;
  logits: Record<string, number>;
  baselineLogits: Record<string, number>;
  /** Size of the image, and the part of it that is the network's input. */
  image: { width: number; height: number };
  region: ImageRegion;
  /** Size of the network's input. */
  width: number;
  height: number;
  /** width * height values in row order. */
  values: number[];
}

/**
 * One explanation as JSON text, in the form {@link ExplanationJson}. Numbers have the fewest digits that give the same
 * float32.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function explanationJson(explanation: Explanation): string {
  checkObject('explanation', explanation);
  checkObject('explanation.logits', explanation.logits);
  checkObject('explanation.baselineLogits', explanation.baselineLogits);
  checkIterable('explanation.values', explanation.values, 'numbers');
  const { method, target, image, region, width, height, values } = explanation;
  const rounded = (logits: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(logits).map(([name, logit]) => [name, shortest(logit)]));
  const json: ExplanationJson = {
    format: 'cellroute-explanation',
    version: 1,
    method,
    target,
    logits: rounded(explanation.logits),
    baselineLogits: rounded(explanation.baselineLogits),
    image,
    region,
    width,
    height,
    values: Array.from(values, shortest),
  };
  return JSON.stringify(json);
}
