import type { SignalOptions } from '../abort.js';
import { checkKeys, checkNumber, checkObject, checkOptions, checkString } from '../check.js';
import { checkResult } from '../export/named.js';
import type { ImageInput } from '../image/types.js';
import type { RoutedSegmentation, Segmentation } from '../inference/result.js';
import { entryOf, type ReportEntry } from './entry.js';
import { pageOf, type ReportFailure } from './page.js';

/** Options of {@link Report}. */
export interface ReportOptions {
  /** Title of the page. Default `Cells`. */
  title?: string | undefined;
  /** Expected number of images; with more images each one is embedded smaller. Default 1. */
  expected?: number | undefined;
  /**
   * Maximum longer side of an embedded image in pixels; outlines stay exact. Default 1600, reduced so that all images
   * together have at most 100 million pixels.
   */
  maxSide?: number | undefined;
}

/** Total pixels of all embedded images: a page of about 10 to 40 MB, which browsers open without delay. */
const maxPixels = 1e8;
const usualSide = 1600;

/**
 * A self-contained HTML report of many images: outlines that can be hidden, zoom, predicted types, distributions and a
 * table of all cells. Only the data of the page are kept in memory.
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
    const fitting = Math.floor(Math.sqrt(maxPixels / Math.max(1, expected)));
    const side = options.maxSide ?? Math.max(64, Math.min(usualSide, fitting));
    this.#title = checkString('title', options.title ?? 'Cells');
    this.#maxSide = checkNumber('maxSide', side, { min: 16, max: 16_383, integer: true });
  }

  /**
   * Adds an image and its result. Only an image of at most `maxSide` pixels and the outlines are kept.
   *
   * ```ts
   * await report.add('a.png', 'a.png', await ensemble.segment('a.png'));
   * await writeFile('report.html', report.html());
   * ```
   *
   * @param name of the image in the page; images are sorted by it.
   * @param image the image that was segmented; see {@link ImageInput}.
   * @throws {CellrouteError} INVALID_ARGUMENT if image and result differ in size; the errors of `decodeImage`.
   */
  async add(
    name: string,
    image: ImageInput,
    result: Segmentation | RoutedSegmentation,
    options: SignalOptions = {},
  ): Promise<void> {
    checkOptions(options, ['signal']);
    const { signal } = options;
    checkResult('result', result);
    this.#entries.push(await entryOf(checkString('name', name), image, result, this.#maxSide, signal));
  }

  /**
   * Adds an image that has no result, with the reason.
   *
   * @throws {CellrouteError} INVALID_ARGUMENT
   */
  addFailure(name: string, reason: string): void {
    this.#failures.push({ name: checkString('name', name), reason: checkString('reason', reason) });
  }

  /** The complete page as HTML, with images sorted by name. It refers to no other file. */
  html(): string {
    const byName = <T extends { name: string }>(list: readonly T[]) =>
      [...list].sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    return pageOf(this.#title, byName(this.#entries), byName(this.#failures));
  }
}
