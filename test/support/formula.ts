/**
 * The goldens' weight formula: numbers computed from the name of their tensor, so that no large file is needed.
 * 64-bit numbers are kept as two halves of 32 bits: BigInts would take minutes for a ResNet50.
 */

// Jest looks up globals slowly, and this is called about 100 million times.
const { imul } = Math;

interface Word {
  high: number;
  low: number;
}

/** Low 64 bits of the product. */
function multiply(a: Word, b: Word): Word {
  const a0 = a.low & 0xffff;
  const a1 = a.low >>> 16;
  const b0 = b.low & 0xffff;
  const b1 = b.low >>> 16;
  const low = a0 * b0;
  const cross1 = a0 * b1;
  const cross2 = a1 * b0;
  const middle = (low >>> 16) + (cross1 & 0xffff) + (cross2 & 0xffff);
  const carried = a1 * b1 + (cross1 >>> 16) + (cross2 >>> 16) + (middle >>> 16);
  return {
    low: imul(a.low, b.low) >>> 0,
    high: (carried + imul(a.high, b.low) + imul(a.low, b.high)) >>> 0,
  };
}

function add(a: Word, b: Word): Word {
  const low = a.low + b.low;
  return { low: low >>> 0, high: (a.high + b.high + (low > 0xffffffff ? 1 : 0)) >>> 0 };
}

/** `z ^ (z >> bits)` for 0 < bits < 32. */
const xorShift = ({ high, low }: Word, bits: number): Word => ({
  high: (high ^ (high >>> bits)) >>> 0,
  low: (low ^ ((low >>> bits) | (high << (32 - bits)))) >>> 0,
});

const FNV_OFFSET = { high: 0xcbf29ce4, low: 0x84222325 };
const FNV_PRIME = { high: 0x100, low: 0x1b3 };
const GOLDEN_GAMMA = { high: 0x9e3779b9, low: 0x7f4a7c15 };
const FIRST_ROUND = { high: 0xbf58476d, low: 0x1ce4e5b9 };
const SECOND_ROUND = { high: 0x94d049bb, low: 0x133111eb };

/** `count` numbers in [0, 1), each a multiple of 2^-24. */
export function uniform(key: string, count: number): Float64Array {
  let state: Word = FNV_OFFSET;
  for (const byte of Buffer.from(key)) {
    state = multiply({ high: state.high, low: (state.low ^ byte) >>> 0 }, FNV_PRIME);
  }
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    state = add(state, GOLDEN_GAMMA);
    let z = multiply(xorShift(state, 30), FIRST_ROUND);
    z = multiply(xorShift(z, 27), SECOND_ROUND);
    values[i] = (xorShift(z, 31).high >>> 8) / 2 ** 24;
  }
  return values;
}

const SCALED_DOWN = ['cls_logits', 'bbox_pred', 'box_predictor', 'mask_fcn_logits'];

/** Name of the last norm of a residual block: `bn3` if the network has one, otherwise `bn2`. */
export const lastNormOf = (keys: readonly string[]): 'bn2' | 'bn3' =>
  keys.some((key) => key.includes('.bn3.')) ? 'bn3' : 'bn2';

/** The formula's values of one tensor of a network whose blocks end with the norm `lastNorm`. */
export function formulaTensor(key: string, shape: readonly number[], lastNorm: 'bn2' | 'bn3'): Float32Array {
  const count = shape.reduce((product, length) => product * length, 1);
  const leaf = key.slice(key.lastIndexOf('.') + 1);
  if (leaf === 'num_batches_tracked') return new Float32Array(count);
  if (leaf === 'running_var') return new Float32Array(count).fill(1);
  if (leaf === 'weight' && shape.length === 1) {
    return new Float32Array(count).fill(key.includes(`.${lastNorm}.`) ? 0.2 : 1);
  }
  // The weight of a transposed convolution starts with the input channels.
  const fanIn = key.includes('conv5_mask')
    ? shape[0]!
    : shape.slice(1).reduce((product, n) => product * n, 1);
  const scale =
    shape.length > 1
      ? Math.sqrt(6 / fanIn) * (SCALED_DOWN.some((part) => key.includes(part)) ? 0.1 : 1)
      : 0.05;
  return Float32Array.from(uniform(key, count), (u) => (2 * u - 1) * scale);
}
