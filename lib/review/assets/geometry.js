// Outlines: rings are flat arrays x, y, x, y, … in pixels of the image, without a repeated last corner.

/** The rings of an SVG path of horizontal and vertical steps, as the server sends outlines of masks. */
export function ringsOfPath(path) {
  return path
    .split('M')
    .slice(1)
    .map((part) => {
      const [start, ...steps] = part.match(/^[\d.]+ [\d.]+|[hv]-?[\d.]+/g);
      let [x, y] = start.split(' ').map(Number);
      const ring = [x, y];
      for (const step of steps) {
        if (step[0] === 'h') x += Number(step.slice(1));
        else y += Number(step.slice(1));
        ring.push(x, y);
      }
      return ring;
    });
}

/** Twice the area of a ring: positive for outer rings, negative for holes. */
export function signedArea(ring) {
  let sum = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const next = (i + 2) % ring.length;
    sum += ring[i] * ring[next + 1] - ring[next] * ring[i + 1];
  }
  return sum;
}

/** Smallest box of rings: x1, y1, x2, y2. */
export function boundsOf(rings) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i++) {
      const axis = i % 2;
      box[axis] = Math.min(box[axis], ring[i]);
      box[axis + 2] = Math.max(box[axis + 2], ring[i]);
    }
  }
  return box;
}

/** An SVG path of rings. */
export function pathOfRings(rings) {
  return rings
    .map((ring) => {
      let path = '';
      for (let i = 0; i < ring.length; i += 2) path += `${i === 0 ? 'M' : 'L'}${ring[i]} ${ring[i + 1]}`;
      return `${path}z`;
    })
    .join('');
}

/** Whether a point is inside rings by the even-odd rule. */
export function isInside(rings, x, y) {
  let inside = false;
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i += 2) {
      const next = (i + 2) % ring.length;
      const [x1, y1, x2, y2] = [ring[i], ring[i + 1], ring[next], ring[next + 1]];
      if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
    }
  }
  return inside;
}

/** The point of a segment that is closest to a point. */
function closestOn(x1, y1, x2, y2, x, y) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / length));
  return [x1 + t * dx, y1 + t * dy];
}

/** The corner of rings that is closest to a point. */
export function nearestCorner(rings, x, y) {
  let best = { ring: -1, at: -1, distance: Infinity };
  for (const [ring, points] of rings.entries()) {
    for (let at = 0; at < points.length; at += 2) {
      const distance = Math.hypot(points[at] - x, points[at + 1] - y);
      if (distance < best.distance) best = { ring, at, distance };
    }
  }
  return best;
}

/** The side of rings that is closest to a point: `at` is where a corner on it is inserted. */
export function nearestSide(rings, x, y) {
  let best = { ring: -1, at: -1, distance: Infinity };
  for (const [ring, points] of rings.entries()) {
    for (let i = 0; i < points.length; i += 2) {
      const next = (i + 2) % points.length;
      const [px, py] = closestOn(points[i], points[i + 1], points[next], points[next + 1], x, y);
      const distance = Math.hypot(px - x, py - y);
      if (distance < best.distance) best = { ring, at: i + 2, distance };
    }
  }
  return best;
}

/**
 * A ring with fewer corners (Douglas and Peucker, 1973): each corner that is removed is at most `tolerance` pixels from
 * the remaining outline. At least three corners remain.
 */
export function simplify(ring, tolerance) {
  const count = ring.length / 2;
  if (count <= 3) return ring;
  // A ring has no ends: it is cut at its first corner and at the corner farthest from that.
  let far = 0;
  let maxDistance = -1;
  for (let i = 1; i < count; i++) {
    const distance = Math.hypot(ring[2 * i] - ring[0], ring[2 * i + 1] - ring[1]);
    if (distance > maxDistance) [far, maxDistance] = [i, distance];
  }
  const kept = new Uint8Array(count + 1);
  kept[0] = 1;
  kept[far] = 1;
  kept[count] = 1;
  const at = (i) => [ring[(2 * i) % ring.length], ring[(2 * i + 1) % ring.length]];
  const parts = [
    [0, far],
    [far, count],
  ];
  let corners = 2;
  for (let part = parts.pop(); part; part = parts.pop()) {
    const [from, to] = part;
    let [worst, distance] = [-1, 0];
    for (let i = from + 1; i < to; i++) {
      const [x, y] = at(i);
      const [px, py] = closestOn(...at(from), ...at(to), x, y);
      const own = Math.hypot(px - x, py - y);
      if (own > distance) [worst, distance] = [i, own];
    }
    // A polygon needs three corners: the farthest one is kept too.
    if (worst < 0 || (distance <= tolerance && corners >= 3)) continue;
    kept[worst] = 1;
    corners++;
    parts.push([from, worst], [worst, to]);
  }
  const simple = [];
  for (let i = 0; i < count; i++) if (kept[i]) simple.push(ring[2 * i], ring[2 * i + 1]);
  return simple;
}

/** A place inside an image, rounded to hundredths of a pixel. */
export function insideImage(x, y, { width, height }) {
  const round = (value, max) => Math.round(100 * Math.max(0, Math.min(max, value))) / 100;
  return [round(x, width), round(y, height)];
}
