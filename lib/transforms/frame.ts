/** One side of a frame: where its pixels lie along a side of the source. All in pixels, which are 1 wide. */
export interface FrameSide {
  /** The side of the source it runs along. */
  readonly along: 'x' | 'y';
  /** Pixels. */
  readonly size: number;
  /** Place in the source where the first pixel begins. */
  readonly origin: number;
  /** Source pixels per pixel is wide; negative where the frame runs against the source. */
  readonly step: number;
  /** What is seen of the source, from `first` to below `end`; the frame may reach past it. */
  readonly first: number;
  readonly end: number;
}

/**
 * What a chain of geometric transforms makes of an image: a rectangle of the source, scaled, flipped and turned by
 * quarters, so that any chain is carried out at once and every pixel resampled once. Frames do not change: each
 * transform gives another one.
 */
export class Frame {
  private constructor(
    readonly horizontal: FrameSide,
    readonly vertical: FrameSide,
  ) {}

  /** An image as it is. */
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

  /** Rows become columns. */
  transpose(): Frame {
    return new Frame(this.vertical, this.horizontal);
  }

  /** Turns by so many quarters, against the clock as NumPy's rot90 does. */
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

  /** A part, in whole pixels of this frame. Where it reaches past what there is, it is padded. */
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
  // Of a part that lies in the padding nothing is seen: both become the nearer end.
  const within = (place: number) => Math.min(Math.max(place, side.first), side.end);
  const first = within(Math.min(origin, far));
  const end = within(Math.max(origin, far));
  return { ...side, size, origin, first, end };
}

function scale(side: FrameSide, size: number): FrameSide {
  return { ...side, size, step: (side.step * side.size) / size };
}
