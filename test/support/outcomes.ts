import { columns } from '../../lib/cli/columns.js';

/** Outcome of an input: read, read with a notice or a skipped part, or refused. */
export type Outcome = 'read' | 'warn' | 'refuse';

/** Prints the outcomes of inputs by reader as a table, for `npm run inputs`. */
export function printOutcomes(what: string, found: Iterable<[string, Record<string, Outcome>]>): void {
  if (process.env.CELLROUTE_PRINT_INPUTS === undefined) return;
  const rows = [...found];
  const readers = Object.keys(rows[0]?.[1] ?? {});
  const table = rows.map(([name, outcomes]) => [name, ...readers.map((reader) => outcomes[reader] ?? '')]);
  process.stdout.write(`\n${columns([[what, ...readers], ...table]).join('\n')}\n`);
}
