import { CellrouteError } from '../../lib/errors.js';

/** The CellrouteError that a promise rejects with. */
export async function refusal(work: Promise<unknown>): Promise<CellrouteError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CellrouteError);
  return error as CellrouteError;
}
