// Writes lib/render/glyphs.ts: outlines of Roboto (Apache 2.0), so that charts have text where no font is installed.
//   npm install --no-save opentype.js@2 roboto-fontface@0.10 && node scripts/glyphs.mjs

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import opentype from 'opentype.js';
import { root } from './run.mjs';

/** Units of the outlines an em: a fiftieth of a pixel at the sizes charts use. */
const EM = 512;
const ascii = Array.from({ length: 95 }, (_, i) => String.fromCodePoint(32 + i)).join('');
const characters = `${ascii}°±²³µ·×–—…≤≥≈−→Δαβγλσ`;

/** One command of an outline in whole units. Not toPathData(), which runs a negative zero into the number before it. */
function textOf({ type, x1, y1, x, y }) {
  if (type === 'Z') return '';
  const numbers = (type === 'Q' ? [x1, y1, x, y] : [x, y]).map((value) => String(Math.round(value) + 0));
  return type + numbers.join(' ').replaceAll(' -', '-');
}

const file = createRequire(import.meta.url).resolve('roboto-fontface/fonts/roboto/Roboto-Regular.woff');
const font = opentype.parse(Uint8Array.from(readFileSync(file)).buffer);
const lines = [...characters].flatMap((character) => {
  const glyph = font.charToGlyph(character);
  // Index 0 is what a font draws for a character it does not have.
  if (glyph.index === 0) return [];
  const path = glyph.getPath(0, 0, EM).commands.map(textOf).join('');
  const width = Math.round((glyph.advanceWidth / font.unitsPerEm) * EM);
  return [`  ${JSON.stringify(`${character}${width} ${path}`)},`];
});

writeFileSync(
  join(root, 'lib', 'render', 'glyphs.ts'),
  `// Made by scripts/glyphs.mjs; do not edit. Outlines of Roboto Regular, Copyright Google, Apache License 2.0.

/** Units of an em: outlines and widths are whole numbers of them. */
export const EM = ${EM};

/** Of each glyph its character, its width, a space, and its outline as an SVG path from the left end of its base line. */
export const glyphTexts: readonly string[] = [
${lines.join('\n')}
];
`,
);
