import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './sdk.js';

/** A code block on a documentation page. */
export interface Snippet {
  page: string;
  /** Line of the opening fence, from 1. */
  line: number;
  language: string;
  code: string;
  /** Reason why it is not run: the text of a comment `not run: …` before the block. */
  reason: string | undefined;
}

/** Pages whose snippets are run. */
export const pages: readonly string[] = [
  'README.md',
  'examples/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const MARKER = /^<!-- not run: (.+) -->$/;

/** Fenced blocks of a page. */
export function snippetsOf(page: string, text = readFileSync(join(root, page), 'utf8')): Snippet[] {
  const lines = text.split('\n');
  const found: Snippet[] = [];
  let marker: string | undefined;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const fence = /^```(\w*)$/.exec(line);
    if (!fence) {
      if (line.trim() !== '') marker = MARKER.exec(line)?.[1];
      continue;
    }
    const end = lines.indexOf('```', i + 1);
    if (end < 0) throw new Error(`${page}, line ${i + 1}: the block has no end`);
    found.push({
      page,
      line: i + 1,
      language: fence[1]!,
      code: lines.slice(i + 1, end).join('\n'),
      reason: marker,
    });
    marker = undefined;
    i = end;
  }
  return found;
}
