import { CellrouteError } from '../errors.js';
import { decodeImage } from '../image/decode.js';
import { fitIntensity } from '../image/intensity.js';
import type { NativeSample, NativeSamplePlan } from '../native/contract.js';
import { runJob } from '../native/job.js';
import { native } from '../native/load.js';
import type { DatasetItem } from './types.js';

export interface Prepared extends NativeSample {
  width: number;
  height: number;
  /** Class of each kept mask. */
  labels: Int32Array;
  /** Notices about the image's values. */
  notices: readonly string[];
}

/**
 * Loads an image of a data set and creates the sample that `plan` describes for its size.
 *
 * @throws {CellrouteError} the errors of loading, decoding and preparing, with the item's id in the message.
 */
export async function prepareItem(
  item: DatasetItem,
  plan: (size: { width: number; height: number }) => NativeSamplePlan,
  signal: AbortSignal,
): Promise<Prepared> {
  try {
    const { image, masks, labels } = await item.load({ signal });
    const decoded = await decodeImage(image, { signal });
    const planned = plan(decoded);
    const notices = await fitIntensity(planned.intensity, decoded);
    const batch = masks.toBatch();
    const sample = await runJob({ signal }, (call) => native().prepareSample(decoded, batch, planned, call));
    return {
      ...sample,
      width: sample.masks.width,
      height: sample.masks.height,
      labels: Int32Array.from(sample.kept, (index) => labels[index]!),
      notices,
    };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw failed(item, error);
  }
}

/** Adds the item's id to an error. An error that is not ours was thrown by code of the data set. */
function failed({ id }: DatasetItem, error: unknown): CellrouteError {
  const message = `Image ${id}: ${error instanceof Error ? error.message : String(error)}`;
  const images = [id];
  return error instanceof CellrouteError
    ? error.restated(message, { images })
    : new CellrouteError('DATA_INVALID', message, { images }, { cause: error });
}
