import type { DType } from './table.js';

/** Floating-point types that can be written. */
export type FloatType = 'F32' | 'F16' | 'BF16';

/** Their names in options. */
export const FLOAT_TYPES = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const satisfies Record<
  string,
  FloatType
>;

export const isFloat = (dtype: DType): boolean =>
  dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';

const word = new DataView(new ArrayBuffer(4));

function fromBits(bits: number): number {
  word.setUint32(0, bits);
  return word.getFloat32(0);
}

/** Converts the bits of a float32 to bfloat16: round to nearest even; NaN stays NaN. */
export function bfloat16FromFloat32(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Converts the bits of a float32 to float16: round to nearest even, with subnormals, zero and infinity. */
export function float16FromFloat32(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  // 65520 is halfway between the largest float16 and the next value, and rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebiased = magnitude - 0x38000000;
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  // Subnormal, below 2^-14: a multiple of 2^-24. The product is exact in float32 and is rounded once.
  return sign | roundToEven(fromBits(magnitude) * 2 ** 24);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Value of a float16. */
export function float16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Copies bytes to a buffer, so that a typed array of any element size can view them. */
const aligned = (bytes: Uint8Array, size: number): ArrayBuffer =>
  bytes.byteOffset % size === 0
    ? (bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer)
    : (new Uint8Array(bytes).buffer as ArrayBuffer);

/** Converts little-endian numbers of any float type to float32. float64 is rounded as in PyTorch. */
export function float32Of(bytes: Uint8Array, dtype: DType): Float32Array {
  switch (dtype) {
    case 'F32':
      return new Float32Array(aligned(bytes, 4));
    case 'F64':
      return Float32Array.from(new Float64Array(aligned(bytes, 8)));
    case 'BF16': {
      const halves = new Uint16Array(aligned(bytes, 2));
      const bits = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
      return new Float32Array(bits.buffer);
    }
    case 'F16': {
      const halves = new Uint16Array(aligned(bytes, 2));
      const floats = new Float32Array(halves.length);
      for (let i = 0; i < halves.length; i++) floats[i] = float16Value(halves[i]!);
      return floats;
    }
    default:
      throw new TypeError(`${dtype} is not a floating-point type`);
  }
}

/**
 * Converts little-endian numbers from one float type to another: round to nearest even. As in PyTorch, float64 is
 * converted to 16 bits by way of float32.
 */
export function convertFloats(bytes: Uint8Array, from: DType, to: FloatType): Uint8Array {
  if (from === to) return bytes;
  const floats = float32Of(bytes, from);
  if (to === 'F32') return new Uint8Array(floats.buffer);
  const bits = new Uint32Array(floats.buffer);
  const halves = new Uint16Array(bits.length);
  // Uint16Array.from with a function takes ten times as long.
  if (to === 'F16') for (let i = 0; i < bits.length; i++) halves[i] = float16FromFloat32(bits[i]!);
  else for (let i = 0; i < bits.length; i++) halves[i] = bfloat16FromFloat32(bits[i]!);
  return new Uint8Array(halves.buffer);
}
