import { attained, goalText } from '../goals.mjs';

const significant = (number) => (number < 100 ? String(Number(number.toPrecision(3))) : number.toFixed(0));

/** The most informative line of an error message, escaped for a table cell. */
function inline(text) {
  const lines = text.trim().split('\n');
  const telling = lines.findLast((line) => /error/i.test(line)) ?? lines[0];
  return telling.trim().replaceAll('|', '\\|').slice(0, 160);
}

/** Cells of a row: title, ours, the peer's, the ratio, the goal, and a note. */
function cellsOf({ title, against, goal, result }, peakGflops) {
  if (result.skipped)
    return [title, '', against ?? '', 'not measured', goalText(goal), inline(result.skipped)];
  const { value, ours, peer, gflops, note } = result;
  const amount = goal.unit ? `${significant(value)} ${goal.unit}` : `${significant(value)} ×`;
  const share =
    gflops && peakGflops
      ? `${gflops.toFixed(0)} GFLOP/s, ${Math.round((100 * gflops) / peakGflops)} % of GEMM`
      : '';
  const reached = attained(goal, value) >= 1 ? '' : 'missed';
  return [
    title,
    ours,
    against ? `${against} ${peer}` : '',
    amount,
    goalText(goal),
    [reached, share, note].filter(Boolean).join('; '),
  ];
}

/** The run as a Markdown document: conditions, table and chart. */
export function markdown({ conditions, rows, peaks, chart }) {
  const head = ['measured', 'cellroute', 'peer', 'reached', 'goal', ''];
  const low = (row) => (row.id.endsWith('bfloat16') ? peaks.bfloat16 : peaks.float32);
  const lines = [head, head.map(() => '---'), ...rows.map((row) => cellsOf(row, low(row)))];
  return `${[
    ...conditions,
    '',
    ...lines.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `![Attained share of the goal per row](${chart})`,
  ].join('\n')}\n`;
}
