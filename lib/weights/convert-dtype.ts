import type { DType } from './table.js';

/** Types a tensor's numbers can be written as. */
export type FloatType = 'F32' | 'F16' | 'BF16';

export const isFloat = (dtype: DType): boolean =>
  dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';

const word = new DataView(new ArrayBuffer(4));

function fromBits(bits: number): number {
  word.setUint32(0, bits);
  return word.getFloat32(0);
}

/** A float32's bits as a bfloat16's: to the nearest, to even on a tie; a NaN stays one. */
export function bfloat16FromFloat32(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** A float32's bits as a float16's: to the nearest, to even on a tie, through subnormals to zero and to infinity. */
export function float16FromFloat32(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  // 65520 lies halfway between the largest float16 and what would follow it, and rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebiased = magnitude - 0x38000000;
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  // Below 2^-14: as many units of 2^-24, which a float32 of this size holds exactly before it is rounded.
  return sign | roundToEven(fromBits(magnitude) * 2 ** 24);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** A float16's value. */
export function float16Value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bytes as numbers of their own, at an address their type allows. */
const aligned = (bytes: Uint8Array, size: number): ArrayBuffer =>
  bytes.byteOffset % size === 0
    ? (bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer)
    : (new Uint8Array(bytes).buffer as ArrayBuffer);

/** Little-endian numbers of any float type as float32. A float64 is rounded, as PyTorch rounds it. */
export function float32Of(bytes: Uint8Array, dtype: DType): Float32Array {
  switch (dtype) {
    case 'F32':
      return new Float32Array(aligned(bytes, 4));
    case 'F64':
      return Float32Array.from(new Float64Array(aligned(bytes, 8)));
    case 'BF16':
      return Float32Array.from(new Uint16Array(aligned(bytes, 2)), (bits) => fromBits(bits * 0x10000));
    case 'F16':
      return Float32Array.from(new Uint16Array(aligned(bytes, 2)), float16Value);
    default:
      throw new TypeError(`${dtype} is no float type`);
  }
}

/**
 * Little-endian numbers of one float type as another, rounded to the nearest, to even on a tie. As in PyTorch,
 * float64 goes through float32 on its way to 16 bits.
 */
export function convertFloats(bytes: Uint8Array, from: DType, to: FloatType): Uint8Array {
  if (from === to) return bytes;
  const floats = float32Of(bytes, from);
  if (to === 'F32') return new Uint8Array(floats.buffer);
  const bits = new Uint32Array(floats.buffer);
  const round = to === 'F16' ? float16FromFloat32 : bfloat16FromFloat32;
  return new Uint8Array(Uint16Array.from(bits, round).buffer);
}
