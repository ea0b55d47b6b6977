import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { type Info, parse } from 'csv-parse';
import { CellrouteError } from '../errors.js';
import { dataInvalid } from './problems.js';

export interface Table {
  columns: readonly string[];
  /** Fields of each row, as many as there are columns or not, and the line it ends on. */
  rows: AsyncIterable<{ fields: readonly string[]; row: number }>;
}

/** Characters of a row: a quote that is never closed would gather the rest of the file. */
const MOST_IN_ROW = 2 ** 26;

/**
 * A CSV file (RFC 4180, header first), read as it is asked for.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID where it is no CSV or a needed column is not there once.
 */
export async function openTable(
  path: string,
  needed: readonly string[],
  signal?: AbortSignal,
): Promise<Table> {
  const parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MOST_IN_ROW,
  });
  // An error of the file reaches who reads the parser.
  pipeline(createReadStream(path), parser, () => {});
  const records = parser[Symbol.asyncIterator]() as AsyncIterator<{ record: string[]; info: Info }>;
  const next = async () => {
    try {
      signal?.throwIfAborted();
      return await records.next();
    } catch (error) {
      parser.destroy();
      signal?.throwIfAborted();
      throw tableError(path, error as NodeJS.ErrnoException);
    }
  };

  const first = await next();
  const columns = first.done ? [] : first.value.record.map((name) => name.trim());
  const missing = needed.filter((name) => !columns.includes(name));
  const twice = columns.find((name, i) => columns.indexOf(name) < i);
  if (missing.length > 0 || twice !== undefined) {
    parser.destroy();
    throw dataInvalid(
      path,
      missing.length > 0
        ? `there is no column ${missing.join(', ')}; there are ${columns.slice(0, 20).join(', ') || 'none'}`
        : `there are two columns ${twice}`,
    );
  }

  async function* rows() {
    for (let one = await next(); !one.done; one = await next()) {
      yield { fields: one.value.record, row: one.value.info.lines };
    }
  }
  return { columns, rows: rows() };
}

function tableError(path: string, error: NodeJS.ErrnoException): CellrouteError {
  if (error.code?.startsWith('CSV_')) return dataInvalid(path, `it cannot be read as CSV: ${error.message}`);
  return new CellrouteError('FILE_UNREADABLE', `${path}: ${error.message}`, { file: path }, { cause: error });
}

/** A row's fields by column, without the columns named. A prototype's names are names like others. */
export function columnsOf(
  columns: readonly string[],
  fields: readonly string[],
  without: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    columns.flatMap((name, i) => (without.includes(name) ? [] : [[name, fields[i]!] as const])),
  );
}
