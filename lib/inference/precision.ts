import { checkOneOf } from '../check.js';
import { CellrouteError } from '../errors.js';
import { call, native } from '../native/load.js';

/** Number format in which a network computes. */
export type Precision = 'float32' | 'bfloat16' | 'int8' | 'float16' | 'tf32';

/** Every value of the `precision` option. */
export const PRECISIONS = ['float32', 'bfloat16', 'int8', 'float16', 'tf32', 'auto'] as const;

export function checkPrecision(precision: unknown = 'float32'): Precision | 'auto' {
  return checkOneOf('precision', precision, PRECISIONS);
}

/**
 * Chooses the precision for a device. `device` is its name in native code.
 *
 * @throws {CellrouteError} PLATFORM_UNSUPPORTED if the device does not support the precision.
 */
export function choosePrecision(asked: Precision | 'auto', device: string): Precision {
  if (device !== 'cpu') {
    if (asked !== 'int8') return asked === 'auto' ? 'float16' : asked;
    throw unsupported(
      asked,
      "is not supported on a GPU. Load with device 'cpu'",
      'float32, tf32, float16, bfloat16 or auto',
    );
  }
  if (asked === 'float32') return asked;
  if (asked === 'float16' || asked === 'tf32') {
    throw unsupported(
      asked,
      "is not supported on a CPU. Load with device 'cuda'",
      'float32, bfloat16, int8 or auto',
    );
  }
  const has = call(() => native().info());
  if (asked === 'auto') return has.bfloat16 ? 'bfloat16' : 'float32';
  if (has[asked]) return asked;
  const needs = asked === 'int8' ? 'AVX2 or AVX-512 VNNI' : 'AVX512_BF16';
  throw unsupported(
    asked,
    `is not supported by this CPU (it needs ${needs}). Load on another machine`,
    has.int8 ? 'float32, int8 or auto' : 'float32 or auto',
  );
}

function unsupported(asked: Precision, reason: string, expected: string): CellrouteError {
  return new CellrouteError(
    'PLATFORM_UNSUPPORTED',
    `Precision '${asked}' ${reason}, or with precision ${expected}.`,
    { option: 'precision', expected, got: asked },
  );
}
