import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import type { Measurements } from '../measure/measure.js';
import { type MeasurementsTableOptions, measurementsTable } from './measurements-table.js';

/**
 * The table of `measurementsCsv` as a Parquet file, with the same columns: DOUBLE, INT32 for whole numbers, and texts. A
 * value that does not exist is null. The file is made in memory.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export async function measurementsParquet(
  result: Segmentation | RoutedSegmentation,
  measurements: Measurements,
  options: MeasurementsTableOptions = {},
): Promise<Uint8Array> {
  const { texts, numbers, blocks } = measurementsTable(result, measurements, options);
  // An ES module, which CommonJS of Node.js 20 imports only so.
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const textData = texts.map((): (string | number)[] => []);
  for (const rows of blocks()) {
    for (const row of rows) for (const [i, text] of texts.entries()) textData[i]!.push(text.of(row));
  }
  const cells = Array.from({ length: result.cells.length }, (_, cell) => cell);
  const columnData = [
    ...texts.map(({ name, type }, i) => ({ name, type, data: textData[i]! })),
    ...numbers.map(({ name, value, integer }) => ({
      name,
      type: integer ? ('INT32' as const) : ('DOUBLE' as const),
      data: cells.map((cell) => {
        const number = value(cell);
        return Number.isFinite(number) ? number : null;
      }),
    })),
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
