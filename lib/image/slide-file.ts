import type { SignalOptions } from '../abort.js';
import { checkOptions } from '../check.js';
import { CellrouteError } from '../errors.js';
import { type CheckedLimits, checkSize } from './limits.js';
import { interleave } from './pixels.js';
import { checkWindow, type Slide, type SlideLevel, type SlideWindow } from './slide.js';
import type { ImageSource, RawImage } from './types.js';

/** A window whose level is known. */
export interface LevelWindow extends Required<SlideWindow> {}

/** Arguments of {@link FileSlide}. */
export interface FileSlideDescription {
  name: string;
  levels: readonly SlideLevel[];
  /** Names of all channels of the file. */
  channels: readonly string[];
  source: ImageSource;
  limits: CheckedLimits;
}

/** A slide that a reader of this package reads from a file, a folder or a URL. */
export abstract class FileSlide implements Slide {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly levels: readonly SlideLevel[];
  readonly channels: readonly string[];
  readonly pixelSize: number | undefined;
  readonly source: ImageSource;
  readonly #limits: CheckedLimits;
  #closed = false;

  constructor({ name, levels, channels, source, limits }: FileSlideDescription) {
    const [main] = levels as [SlideLevel];
    this.name = name;
    this.width = main.width;
    this.height = main.height;
    this.levels = levels;
    this.channels = channels;
    this.pixelSize = source.pixelSize;
    this.source = source;
    this.#limits = limits;
  }

  async read(window: SlideWindow, options: SignalOptions = {}): Promise<RawImage> {
    checkOptions(options, ['signal']);
    const { signal } = options;
    if (this.#closed) {
      throw new CellrouteError('DISPOSED', 'This slide was closed; open it again to read it.');
    }
    signal?.throwIfAborted();
    const checked = checkWindow(window, this.levels);
    const { width, height, level } = checked;
    const channels = this.source.channels.length as RawImage['channels'];
    checkSize({ width, height, bytesPerPixel: channels * this.bytesPerSample(level) }, this.#limits);
    const data = await interleave(await this.readChannels(checked, signal));
    return { data, width, height, channels, source: this.source };
  }

  abstract fingerprint(options?: SignalOptions): Promise<string>;

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Bytes of a decoded sample of a level. */
  protected abstract bytesPerSample(level: number): number;

  /** The values of a window: one array per channel, or one with all channels interleaved. */
  protected abstract readChannels(
    window: LevelWindow,
    signal: AbortSignal | undefined,
  ): Promise<RawImage['data'][]>;
}
