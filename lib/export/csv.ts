/** A line of a CSV file (RFC 4180, except that lines end with \n, as in Kaggle's files). */
export function csvLine(fields: readonly (string | number)[]): string {
  return `${fields.map(quoted).join(',')}\n`;
}

function quoted(field: string | number): string {
  const text = String(field);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
