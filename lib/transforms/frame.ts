/** One axis of a frame: the positions of its pixels along an axis of the source, in pixels. */
export interface FrameSide {
  /** Axis of the source. */
  readonly along: 'x' | 'y';
  /** Length in pixels. */
  readonly size: number;
  /** Start of the first pixel in the source. */
  readonly origin: number;
  /** Source pixels per pixel; negative if the axis is flipped. */
  readonly step: number;
  /** Visible range of the source, from `first` to below `end`; the frame may extend beyond it. */
  readonly first: number;
  readonly end: number;
}

/**
 * Result of a chain of geometric transforms: a rectangle of the source, scaled, flipped and rotated by multiples of 90
 * degrees. The whole chain is applied in one resampling. Frames are immutable: each transform returns a new one.
 */
export class Frame {
  private constructor(
    readonly horizontal: FrameSide,
    readonly vertical: FrameSide,
  ) {}

  /** The frame of the unmodified image. */
  static of({ width, height }: { width: number; height: number }): Frame {
    const side = (along: 'x' | 'y', size: number) =>
      ({ along, size, origin: 0, step: 1, first: 0, end: size }) as const;
    return new Frame(side('x', width), side('y', height));
  }

  get width(): number {
    return this.horizontal.size;
  }

  get height(): number {
    return this.vertical.size;
  }

  flipHorizontal(): Frame {
    return new Frame(flip(this.horizontal), this.vertical);
  }

  flipVertical(): Frame {
    return new Frame(this.horizontal, flip(this.vertical));
  }

  /** Swaps rows and columns. */
  transpose(): Frame {
    return new Frame(this.vertical, this.horizontal);
  }

  /** Rotates counter-clockwise by a number of quarter turns, as NumPy's rot90. */
  turn(quarters: number): Frame {
    switch (((quarters % 4) + 4) % 4) {
      case 1:
        return this.transpose().flipVertical();
      case 2:
        return this.flipHorizontal().flipVertical();
      case 3:
        return this.transpose().flipHorizontal();
      default:
        return this;
    }
  }

  /** Crops, in whole pixels of this frame. Parts outside the source are padded. */
  crop(left: number, top: number, width: number, height: number): Frame {
    return new Frame(cut(this.horizontal, left, width), cut(this.vertical, top, height));
  }

  resize(width: number, height: number): Frame {
    return new Frame(scale(this.horizontal, width), scale(this.vertical, height));
  }
}

function flip(side: FrameSide): FrameSide {
  return { ...side, origin: side.origin + side.size * side.step, step: -side.step };
}

function cut(side: FrameSide, from: number, size: number): FrameSide {
  const origin = side.origin + from * side.step;
  const far = origin + size * side.step;
  // A crop inside the padding shows nothing of the source: both ends are clamped to the same value.
  const within = (place: number) => Math.min(Math.max(place, side.first), side.end);
  const first = within(Math.min(origin, far));
  const end = within(Math.max(origin, far));
  return { ...side, size, origin, first, end };
}

function scale(side: FrameSide, size: number): FrameSide {
  return { ...side, size, step: (side.step * side.size) / size };
}
