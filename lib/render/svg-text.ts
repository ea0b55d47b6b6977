import { EM, glyphTexts } from './glyphs.js';

interface Glyph {
  /** Width in EM units. */
  width: number;
  path: string;
}

const glyphs = new Map<string, Glyph>();
for (const text of glyphTexts) {
  const [, character, width, path] = /^(.)(\d+) (.*)$/u.exec(text)!;
  glyphs.set(character!, { width: Number(width), path: path! });
}
const unknown = glyphs.get('?')!;

/** Glyphs of a text. Accents are dropped if the font lacks the letter; unknown characters become `?`. */
function glyphsOf(text: string): Glyph[] {
  return Array.from(text.normalize('NFC'), (character) => {
    const plain = character.normalize('NFKD').replaceAll(/\p{Mark}/gu, '');
    return glyphs.get(character) ?? glyphs.get(plain) ?? unknown;
  });
}

export interface SvgTextStyle {
  /** Height of an em in pixels. */
  size: number;
  colour: string;
  /** Which point of the text is at x. Default `start`. */
  anchor?: 'start' | 'middle' | 'end';
  bold?: boolean;
  /** Rotated by 90°, from bottom to top. */
  upwards?: boolean;
}

/** Width of a text in pixels. */
export function svgTextWidth(text: string, size: number): number {
  return (glyphsOf(text).reduce((sum, { width }) => sum + width, 0) * size) / EM;
}

/** Draws text with its baseline at (x, y) as SVG outlines, so no font is needed. */
export function svgText(text: string, x: number, y: number, style: SvgTextStyle): string {
  const { size, colour, anchor = 'start', bold = false, upwards = false } = style;
  const scale = size / EM;
  const share = { start: 0, middle: 0.5, end: 1 }[anchor];
  let at = (-share * svgTextWidth(text, size)) / scale;
  let outlines = '';
  for (const { width, path } of glyphsOf(text)) {
    if (path) outlines += `<path transform="translate(${Math.round(at)})" d="${path}"/>`;
    at += width;
  }
  const stroke = bold ? ` stroke="${colour}" stroke-width="${EM / 28}"` : '';
  const turn = upwards ? ' rotate(-90)' : '';
  return `<g fill="${colour}"${stroke} transform="translate(${x.toFixed(1)} ${y.toFixed(1)})${turn} scale(${scale.toFixed(5)})">${outlines}</g>`;
}
