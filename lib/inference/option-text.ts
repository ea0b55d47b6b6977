// Options of `segment` that are not plain numbers, as text: command-line flags and URL queries have the same forms.
import { refuse } from '../check.js';
import { checkTiles, type Tiles } from './tiles.js';

/** The forms of {@link parseTiles}. */
export const TILES_TEXT = 'auto, off, SIZE or SIZE,OVERLAP';

/**
 * `auto`, `off`, `SIZE` or `SIZE,OVERLAP` in pixels.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function parseTiles(option: string, text: string): Tiles {
  if (text === 'auto') return text;
  if (text === 'off') return false;
  const [size, overlap, ...more] = text.split(',').map(Number);
  if (more.length > 0) throw refuse(option, TILES_TEXT, text);
  const tiles = { size, ...(overlap === undefined ? {} : { overlap }) };
  checkTiles(tiles);
  return tiles;
}

/** Channels by index from 0 or by name, separated by commas. */
export const parseChannels = (text: string): (number | string)[] =>
  text.split(',').map((word) => (/^\d{1,9}$/.test(word.trim()) ? Number(word) : word.trim()));
