// Checked by tsc, never run: the details of an error follow from its code.
import { expectTypeOf } from 'expect-type';
import { CellrouteError, type ErrorCode, type LockOwner } from '../../lib/index.js';

declare const caught: unknown;

if (CellrouteError.is(caught)) {
  expectTypeOf(caught.code).toEqualTypeOf<ErrorCode>();
  expectTypeOf(caught.details.file).toEqualTypeOf<string | undefined>();
  expectTypeOf(caught.details.owner).toEqualTypeOf<LockOwner | undefined>();
}
if (CellrouteError.is(caught, 'RUN_LOCKED')) {
  expectTypeOf(caught.code).toEqualTypeOf<'RUN_LOCKED'>();
  expectTypeOf(caught.details.file).toEqualTypeOf<string>();
  expectTypeOf(caught.message).toEqualTypeOf<string>();
  // @ts-expect-error a detail of other codes
  caught.details.step;
}
if (CellrouteError.is(caught, 'TRAINING_DIVERGED')) {
  expectTypeOf(caught.details.step).toEqualTypeOf<number>();
  expectTypeOf(caught.details.images).toEqualTypeOf<readonly string[]>();
}
if (CellrouteError.is(caught, 'NO_SEGMENTER')) expectTypeOf(caught.details.got).toEqualTypeOf<string>();
if (CellrouteError.is(caught, 'INVALID_ARGUMENT')) {
  expectTypeOf(caught.details.option).toEqualTypeOf<string | undefined>();
}
// @ts-expect-error no code of cellroute
CellrouteError.is(caught, 'UNKNOWN');
if (caught instanceof CellrouteError) {
  // @ts-expect-error no code of cellroute
  caught.code === 'UNKNOWN';
}
// @ts-expect-error the code demands the file
new CellrouteError('RUN_LOCKED', 'locked');
// @ts-expect-error the code has no such detail
new CellrouteError('RUN_LOCKED', 'locked', { file: 'a', step: 1 });
