// Writes lib/render/glyphs.ts: outlines of Roboto (Apache 2.0), so that charts need no installed font.
//   npm install --no-save opentype.js@2 roboto-fontface@0.10 && node scripts/glyphs.mjs

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import opentype from 'opentype.js';
import { root } from './run.mjs';

/** Units per em: one unit is a fiftieth of a pixel at the sizes of charts. */
const EM = 512;
const ascii = Array.from({ length: 95 }, (_, i) => String.fromCodePoint(32 + i)).join('');
const characters = `${ascii}°±²³µ·×–—…≤≥≈−→Δαβγλσ`;

/** One path command with integer coordinates. toPathData() is not used, because it joins a negative zero to the number before. */
function textOf({ type, x1, y1, x, y }) {
  if (type === 'Z') return '';
  const numbers = (type === 'Q' ? [x1, y1, x, y] : [x, y]).map((value) => String(Math.round(value) + 0));
  return type + numbers.join(' ').replaceAll(' -', '-');
}

const file = createRequire(import.meta.url).resolve('roboto-fontface/fonts/roboto/Roboto-Regular.woff');
const font = opentype.parse(Uint8Array.from(readFileSync(file)).buffer);
const lines = [...characters].flatMap((character) => {
  const glyph = font.charToGlyph(character);
  // Index 0 is the glyph of unknown characters.
  if (glyph.index === 0) return [];
  const path = glyph.getPath(0, 0, EM).commands.map(textOf).join('');
  const width = Math.round((glyph.advanceWidth / font.unitsPerEm) * EM);
  return [`  ${JSON.stringify(`${character}${width} ${path}`)},`];
});

writeFileSync(
  join(root, 'lib', 'render', 'glyphs.ts'),
  `// Made by scripts/glyphs.mjs; do not edit. Outlines of Roboto Regular, Copyright Google, Apache License 2.0.

/** Units per em. Outlines and widths are integers in these units. */
export const EM = ${EM};

/** Per glyph: its character, its width, a space, and its outline as an SVG path that starts at the left end of the baseline. */
export const glyphTexts: readonly string[] = [
${lines.join('\n')}
];
`,
);
