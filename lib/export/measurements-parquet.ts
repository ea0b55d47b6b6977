import type { ColumnSource } from 'hyparquet-writer';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import type { Measurements } from '../measure/measure.js';
import {
  type MeasurementsRow,
  type MeasurementsTable,
  type MeasurementsTableOptions,
  measurementsTable,
} from './measurements-table.js';

/** Rows that are compressed and written together. */
const GROUP = 1 << 15;

/**
 * The table of `measurementsCsv` as a Parquet file, with the same columns: DOUBLE, INT32 for whole numbers, and texts. A
 * value that does not exist is null. Piece by piece; a group of 32,768 rows is in memory.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export async function* measurementsParquet(
  result: Segmentation | RoutedSegmentation,
  measurements: Measurements,
  options: MeasurementsTableOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const table = measurementsTable(result, measurements, options);
  // An ES module, which CommonJS of Node.js 20 imports only so.
  const { ByteWriter, ParquetWriter, schemaFromColumnData } = await import('hyparquet-writer');
  const writer = new ByteWriter();
  const file = new ParquetWriter({
    writer,
    schema: schemaFromColumnData({ columnData: columnsOf(table, []) }),
    createdBy: 'cellroute',
  });
  const written = () => {
    const bytes = writer.getBytes().slice();
    writer.index = 0;
    return bytes;
  };
  for (const rows of groups(table)) {
    file.write({ columnData: columnsOf(table, rows), rowGroupSize: GROUP });
    yield written();
  }
  file.finish();
  yield written();
}

function* groups({ blocks }: MeasurementsTable): Generator<MeasurementsRow[], void, undefined> {
  let rows: MeasurementsRow[] = [];
  for (const block of blocks()) {
    rows.push(...block);
    if (rows.length < GROUP) continue;
    yield rows;
    rows = [];
  }
  if (rows.length > 0) yield rows;
}

function columnsOf({ texts, numbers }: MeasurementsTable, rows: readonly MeasurementsRow[]): ColumnSource[] {
  return [
    ...texts.map(({ name, type, of }) => ({ name, type, data: rows.map((row) => of(row)) })),
    ...numbers.map(({ name, value, integer }) => ({
      name,
      type: integer ? ('INT32' as const) : ('DOUBLE' as const),
      data: rows.map(({ cell }) => {
        const number = value(cell.index);
        return Number.isFinite(number) ? number : null;
      }),
    })),
  ];
}
