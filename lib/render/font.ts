/**
 * A small bitmap font. Text in SVG would need fonts on the machine, which a minimal container does not have.
 *
 * Each glyph is its character followed by one base-32 digit per row, from the top of the capitals; the 5 bits of a digit
 * are pixels, leftmost first. Capitals have 7 rows; rows 8 and 9 are for descenders.
 */
const glyphRows = [
  '!ggggg0g "kkk #aavavaa $4fke5u4 %pp248jj &cik8lid \'ggg (48ggg84 )g84448g *04lel4 +044v44',
  ',0000088g -0000u .00000oo /11248gg 0ehjlphe 14c4444e 2eh1248v 3v2421he 426aiv22 5vgu11he',
  '668guhhe 7v124888 8ehhehhe 9ehhf12c :00oo0oo ;0088088g <248g842 =00u0u >g84248g ?eh12404',
  '@ehnlnge Aehhvhhh Buhhuhhu Cehggghe Duhhhhhu Evgguggv Fvgguggg Gehgnhhf Hhhhvhhh Is88888s',
  'J72222ic Khikokih Lggggggv Mhrllhhh Nhhpljhh Oehhhhhe Puhhuggg Qehhhlid Ruhhukih Sfgge11u',
  'Tv444444 Uhhhhhhe Vhhhhha4 Whhhllrh Xhha4ahh Yhha4444 Zv1248gv [sgggggs \\gg84211 ]s44444s',
  '^4ah _0000000v `g8 a00e1fhf bgguhhhu c00eggge d11fhhhf e00ehvge f68s8888 g00fhhhf1e hgguhhhh',
  'ig0ggggg j4044444k8 kggikoki lo888888 m00qllll n00uhhhh o00ehhhe p00uhhhugg q00fhhhf11',
  'r00moggg s00fge1u t88u8886 u00hhhhf v00hhha4 w00hhlla x00ha4ah y00hhhhf1e z00v248v {488g884',
  '|ggggggggg }g88488g ~0009m ·000oo ×00ha4ah µ00hhhpngg',
];

export const capitalHeight = 7;

interface Glyph {
  /** Bits of each row; bit 4 is the leftmost pixel. */
  rows: number[];
  /** Number of used columns. */
  width: number;
}

const glyphs = new Map<string, Glyph>();
for (const glyph of glyphRows.flatMap((line) => line.split(' '))) {
  const rows = Array.from(glyph.slice(1), (digit) => Number.parseInt(digit, 32));
  const used = rows.reduce((all, row) => all | row, 0);
  glyphs.set(glyph[0]!, { rows, width: 5 - Math.min(4, trailingZeros(used)) });
}
glyphs.set(' ', { rows: [], width: 2 });
const unknown = glyphs.get('?')!;

function trailingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** Glyphs of a text. Accents are dropped; characters that are not in the font become `?`. */
function glyphsOf(text: string): Glyph[] {
  const plain = text
    .normalize('NFKD')
    .replaceAll(/\p{Mark}/gu, '')
    .replaceAll('\u03bc', 'µ');
  return Array.from(plain, (character) => glyphs.get(character) ?? unknown);
}

/** Width of a text in pixels at a scale. */
export function textWidth(text: string, scale: number): number {
  return (
    Math.max(
      0,
      glyphsOf(text).reduce((sum, glyph) => sum + glyph.width + 1, -1),
    ) * scale
  );
}

/** Calls `fill(x, y, size)` for each square of a text. The top left corner of its capitals is at (left, top). */
export function drawText(
  text: string,
  left: number,
  top: number,
  scale: number,
  fill: (x: number, y: number, size: number) => void,
): void {
  let x = left;
  for (const { rows, width } of glyphsOf(text)) {
    rows.forEach((bits, row) => {
      for (let column = 0; column < width; column++) {
        if (bits & (16 >> column)) fill(x + column * scale, top + row * scale, scale);
      }
    });
    x += (width + 1) * scale;
  }
}
