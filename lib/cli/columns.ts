/** Longer text is truncated in a table; `--json` prints it in full. */
const MAX_SHOWN = 100;

/** Formats rows as aligned columns. Control characters in untrusted names must not reach the terminal. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) =>
    row.map((cell) => {
      const clean = cell.replaceAll(/[\p{Cc}\p{Cf}]/gu, '�');
      return clean.length > MAX_SHOWN ? `${clean.slice(0, MAX_SHOWN)}…` : clean;
    }),
  );
  const widths = cells.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(cell.length, widest[i] ?? 0)),
    [],
  );
  return cells.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd());
}

/** `1 cell`, `2 cells`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
