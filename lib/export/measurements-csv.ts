import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import type { Measurements } from '../measure/measure.js';
import { type MeasurementsTableOptions, measurementsTable } from './measurements-table.js';
import { csvLine } from './text.js';

/**
 * A table of measurements as CSV, one row per cell in the order of the result: the image's name, the number and class
 * of the cell, its score and what `measure` found. A value that does not exist is empty.
 *
 * Names of columns are those of scikit-image's `regionprops_table` (in pixels, and with a pixel size once more in
 * micrometres), of QuPath's measurement tables (with the ids that `quPathGeoJson` writes) or of CellProfiler.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function measurementsCsv(
  result: Segmentation | RoutedSegmentation,
  measurements: Measurements,
  options: MeasurementsTableOptions = {},
): string {
  return [...pieces(result, measurements, options)].join('');
}

/**
 * {@link measurementsCsv} in pieces of text.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT, when the iteration starts.
 */
export async function* streamMeasurementsCsv(
  result: Segmentation | RoutedSegmentation,
  measurements: Measurements,
  options: MeasurementsTableOptions = {},
): AsyncGenerator<string, void, undefined> {
  yield* pieces(result, measurements, options);
}

function* pieces(
  result: Segmentation | RoutedSegmentation,
  measurements: Measurements,
  options: MeasurementsTableOptions,
): Generator<string, void, undefined> {
  const { texts, numbers, blocks } = measurementsTable(result, measurements, options);
  yield csvLine([...texts, ...numbers].map(({ name }) => name));
  for (const rows of blocks()) {
    const lines = rows.map((row) => {
      const values = numbers.map(({ value }) => value(row.cell.index));
      return csvLine([
        ...texts.map(({ of }) => of(row)),
        ...values.map((value) => (Number.isFinite(value) ? value : '')),
      ]);
    });
    yield lines.join('');
  }
}
