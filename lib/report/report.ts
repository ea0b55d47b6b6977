import { checkKeys, checkNumber, checkObject, checkString } from '../check.js';
import type { ImageInput } from '../image/types.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { entryOf, type ReportEntry } from './entry.js';
import { pageOf, type ReportFailure } from './page.js';

/** Options of {@link Report}. */
export interface ReportOptions {
  /** Heading of the page. Default `Cells`. */
  title?: string;
  /** How many images there will be: the more, the smaller each is embedded. Default 1. */
  expected?: number;
  /**
   * Pixels the longer side of an embedded image may have; outlines stay exact. Default 1600, and so many fewer that
   * all images together have at most 100 million pixels.
   */
  maxSide?: number;
}

/** Of all embedded images together: a page of some ten to forty megabytes, which a browser still opens at once. */
const mostPixels = 1e8;
const usualSide = 1600;

/**
 * A run over many images as one HTML file that needs nothing beside it: images under outlines that can be switched,
 * zoomed and moved, the route, distributions, and a table of all cells. Only what the page needs of an image is kept.
 */
export class Report {
  readonly #title: string;
  readonly #maxSide: number;
  readonly #entries: ReportEntry[] = [];
  readonly #failures: ReportFailure[] = [];

  /** @throws {CellrouteError} INVALID_ARGUMENT */
  constructor(options: ReportOptions = {}) {
    checkKeys('', checkObject('options', options), ['title', 'expected', 'maxSide']);
    const expected = checkNumber('expected', options.expected ?? 1, { min: 0, integer: true });
    const fitting = Math.floor(Math.sqrt(mostPixels / Math.max(1, expected)));
    const side = options.maxSide ?? Math.max(64, Math.min(usualSide, fitting));
    this.#title = checkString('title', options.title ?? 'Cells');
    this.#maxSide = checkNumber('maxSide', side, { min: 16, max: 16_383, integer: true });
  }

  /**
   * Takes an image and what was found in it.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT where image and result differ in size; the errors of `decodeImage`.
   */
  async add(
    name: string,
    image: ImageInput,
    result: Segmentation | RoutedSegmentation,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<void> {
    this.#entries.push(await entryOf(checkString('name', name), image, result, this.#maxSide, signal));
  }

  /** Notes an image that has no result, and why. */
  addFailure(name: string, reason: string): void {
    this.#failures.push({ name: checkString('name', name), reason });
  }

  /** The page, images by name. */
  html(): string {
    const byName = <T extends { name: string }>(list: readonly T[]) =>
      [...list].sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    return pageOf(this.#title, byName(this.#entries), byName(this.#failures));
  }
}
