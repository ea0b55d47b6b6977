import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { CsvError, type Info, parse } from 'csv-parse';
import { unreadable } from '../file-errors.js';
import { dataInvalid } from './problems.js';
import { checkedUtf8 } from './text.js';

export interface Table {
  columns: readonly string[];
  /** Fields of each row, possibly fewer or more than columns, and the line on which the row ends. */
  rows: AsyncIterable<{ fields: readonly string[]; row: number }>;
}

/** Maximum length of a row in characters, because an unclosed quote would include the rest of the file. */
const MAX_ROW = 2 ** 26;

/**
 * Opens a CSV file (RFC 4180 with a header), which is read while its rows are consumed.
 *
 * @param needed required columns; an entry with several names requires one of them.
 * @throws {CellrouteError} FILE_UNREADABLE; DATA_INVALID if it is not CSV, or a required column is missing or occurs
 *   twice.
 */
export async function openTable(
  path: string,
  needed: readonly (readonly string[])[],
  signal?: AbortSignal,
): Promise<Table> {
  const parser = parse({
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW,
  });
  // The parser reports errors of the file.
  pipeline(
    createReadStream(path),
    (bytes: AsyncIterable<Buffer>) => checkedUtf8(path, bytes),
    parser,
    () => {},
  );
  const records = parser[Symbol.asyncIterator]() as AsyncIterator<{ record: string[]; info: Info }>;
  const next = async () => {
    try {
      signal?.throwIfAborted();
      return await records.next();
    } catch (error) {
      parser.destroy();
      signal?.throwIfAborted();
      if (error instanceof CsvError) {
        throw dataInvalid(path, `it cannot be read as CSV: ${error.message}`);
      }
      return unreadable(path)(error);
    }
  };

  const first = await next();
  const columns = first.done ? [] : first.value.record.map((name) => name.trim());
  const mistake = headerError(columns, needed);
  if (mistake !== undefined) {
    parser.destroy();
    throw dataInvalid(path, mistake);
  }

  async function* rows() {
    for (let one = await next(); !one.done; one = await next()) {
      yield { fields: one.value.record, row: one.value.info.lines };
    }
  }
  return { columns, rows: rows() };
}

function headerError(
  columns: readonly string[],
  needed: Parameters<typeof openTable>[1],
): string | undefined {
  const missing = needed.filter((names) => !names.some((name) => columns.includes(name)));
  if (missing.length > 0) {
    const names = missing.map((one) => one.join(' or ')).join(', ');
    const separator = [';', '\t'].find((sign) => columns.length === 1 && columns[0]!.includes(sign));
    const remedy = separator === undefined ? '' : ': separate the columns by commas';
    return `there is no column ${names}; there are ${columns.slice(0, 20).join(', ') || 'none'}${remedy}`;
  }
  const twice = columns.find((name, i) => columns.indexOf(name) < i);
  return twice === undefined ? undefined : `there are two columns ${twice}`;
}

/** Fields of a row by column, without the excluded columns. Names such as `__proto__` are allowed. */
export function columnsOf(
  columns: readonly string[],
  fields: readonly string[],
  without: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    columns.flatMap((name, i) => (without.includes(name) ? [] : [[name, fields[i]!] as const])),
  );
}
