/** A point of a grid: an index along each axis. */
export type Point = readonly number[];

export interface Found {
  point: Point;
  score: number;
  /** Number of different points that were evaluated. */
  tried: number;
}

/**
 * Coordinate ascent: moves from `start` to a point that cannot be improved by a change along one axis or a step along two
 * axes. Of equal scores, the nearest point is chosen, so a value changes only if the score improves.
 *
 * @param lengths number of values of each axis.
 */
export async function coordinateAscent(
  lengths: readonly number[],
  start: Point,
  score: (point: Point) => Promise<number>,
): Promise<Found> {
  const known = new Map<string, number>();
  const scoreOf = async (point: Point) => {
    const key = point.join();
    const value = known.get(key) ?? (await score(point));
    known.set(key, value);
    return value;
  };
  let best = start;
  let bestScore = await scoreOf(start);
  const tryAll = async (points: Iterable<Point>) => {
    let moved = false;
    for (const point of points) {
      const value = await scoreOf(point);
      if (!(value > bestScore)) continue;
      best = point;
      bestScore = value;
      moved = true;
    }
    return moved;
  };
  for (let moved = true; moved; ) {
    moved = false;
    for (const axis of lengths.keys()) {
      if (await tryAll([...along(best, axis, lengths[axis]!)])) moved = true;
    }
    if (!moved) moved = await tryAll([...diagonals(best, lengths)]);
  }
  return { point: best, score: bestScore, tried: known.size };
}

/** All other points along one axis, nearest first. */
function* along(point: Point, axis: number, length: number): Generator<Point> {
  for (let distance = 1; distance < length; distance++) {
    for (const value of [point[axis]! - distance, point[axis]! + distance]) {
      if (value >= 0 && value < length) yield point.with(axis, value);
    }
  }
}

/** Points one step away along each of two axes. */
function* diagonals(point: Point, lengths: readonly number[]): Generator<Point> {
  const steps = [-1, 1];
  for (const a of lengths.keys()) {
    for (let b = a + 1; b < lengths.length; b++) {
      for (const da of steps) {
        for (const db of steps) {
          const next = point.with(a, point[a]! + da).with(b, point[b]! + db);
          if (next.every((value, axis) => value >= 0 && value < lengths[axis]!)) yield next;
        }
      }
    }
  }
}
