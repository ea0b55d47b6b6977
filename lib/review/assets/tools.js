// The tools of the stage. Each has pointer and keyboard input in pixels of the image, and draws what it has so far. Keys
// move a cross, which stands for the pointer.

import { insideImage, nearestCorner, nearestSide, pathOfRings, signedArea, simplify } from './geometry.js';

/** Distance in pixels of the screen at which a corner or a side is hit: fingers are wider than a pointer. */
const NEAR = 9;
const NEAR_TOUCH = 20;
/** A freehand outline is at most this far from the line that was drawn, in pixels of the screen. */
const FREEHAND_TOLERANCE = 0.75;
/** Outlines of masks run along the sides of pixels: their steps are removed when corners are edited. */
const STEP_TOLERANCE = 1;
/** Area in pixels of the image below which an outline may cover no pixel. */
const MIN_AREA = 2;

const areaOf = (ring) => Math.abs(signedArea(ring)) / 2;

/** Common parts. `app` has: view, say, selected, selectAt, outlineOf, setOutline, addOutline. */
class Tool {
  isDragging = false;

  constructor(app) {
    this.app = app;
    this.view = app.view;
  }

  /** Whether the last input was a touch. */
  isTouch = false;

  /** The distance at which something is hit, in pixels of the image. */
  get near() {
    return (this.isTouch ? NEAR_TOUCH : NEAR) / this.view.scale;
  }

  inside(x, y) {
    return insideImage(x, y, this.view.size);
  }

  start() {}
  stop() {}
  down() {}
  move() {}
  up() {}
  /** @returns whether the key was used. */
  key() {
    return false;
  }
  draw() {}
}

/** Selects a cell where it is clicked; drags move the image. */
export class SelectTool extends Tool {
  /** Whether a drag moves the image. */
  pans = true;

  click(x, y) {
    this.app.selectAt(x, y);
  }
}

/** Common parts of the tools that draw a new outline. */
class DrawTool extends Tool {
  points = [];
  /** Where the cross of the keyboard or the pointer is. */
  cursor;
  byKeys = false;

  start() {
    this.points = [];
    this.cursor = undefined;
    this.byKeys = false;
  }

  stop() {
    this.start();
  }

  add(x, y) {
    this.points.push(...this.inside(x, y));
    this.view.draw();
  }

  /** Ends the outline. */
  close(tolerance) {
    const ring = tolerance === undefined ? this.points : simplify(this.points, tolerance);
    const isLargeEnough = ring.length >= 6 && areaOf(ring) >= MIN_AREA;
    this.points = [];
    this.isDragging = false;
    if (isLargeEnough) this.app.addOutline([ring]);
    else this.app.say('This outline is too small for a cell.');
    this.view.draw();
  }

  key(event, step) {
    if (step) {
      this.byKeys = true;
      const [x, y] = this.cursor ?? this.view.middle.map(Math.round);
      this.cursor = this.cursor ? this.inside(x + step[0], y + step[1]) : this.inside(x, y);
      this.view.reveal([...this.cursor, ...this.cursor]);
      this.moved();
      this.view.draw();
      return true;
    }
    if (event.key === ' ') this.press();
    else if (event.key === 'Enter') this.end();
    else if (event.key === 'Backspace' && this.points.length > 0) this.points.length -= 2;
    else if (event.key === 'Escape') {
      if (this.points.length === 0) return false;
      this.points = [];
      this.app.say('Outline discarded.');
    } else return false;
    this.view.draw();
    return true;
  }

  moved() {}

  draw(context) {
    const ends = this.cursor && this.points.length > 0 ? this.cursor : [];
    this.view.line(context, [...this.points, ...ends], { colour: '#7dff6b', width: 2 });
    if (this.points.length > 0) this.view.handle(context, this.points[0], this.points[1], true);
    if (this.byKeys && this.cursor) this.view.cross(context, ...this.cursor);
  }
}

/** Draws an outline corner by corner. */
export class PolygonTool extends DrawTool {
  hint =
    'Polygon: click the corners of a cell, and the first one again to close it. Keys: arrows move the cross (Shift: by 10), Space sets a corner, Enter closes, Backspace takes a corner back.';

  down(x, y) {
    this.byKeys = false;
    const [first, second] = this.points;
    const closes = this.points.length >= 6 && Math.hypot(x - first, y - second) <= this.near;
    if (closes) this.close();
    else this.add(x, y);
  }

  move(x, y) {
    this.byKeys = false;
    this.cursor = this.inside(x, y);
    if (this.points.length > 0) this.view.draw();
  }

  double() {
    if (this.points.length >= 8) {
      // The second click of the two has set a corner on the first one's.
      this.points.length -= 2;
      this.close();
    } else if (this.points.length === 2) {
      // The first click has closed the outline, the second one has started another.
      this.points = [];
      this.view.draw();
    }
  }

  press() {
    if (!this.cursor) this.key({}, [0, 0]);
    const count = this.points.length;
    const [x, y] = this.cursor;
    if (count >= 2 && this.points[count - 2] === x && this.points[count - 1] === y) return;
    this.add(x, y);
    this.app.say(`Corner ${this.points.length / 2} at ${x}, ${y}.`);
  }

  end() {
    if (this.points.length >= 6) this.close();
    else this.app.say('An outline has three corners or more.');
  }

  draw(context) {
    super.draw(context);
    for (let i = 2; i < this.points.length; i += 2) {
      this.view.handle(context, this.points[i], this.points[i + 1], false);
    }
  }
}

/** Draws an outline freehand. */
export class FreehandTool extends DrawTool {
  hint =
    'Freehand: draw around a cell while you press. Keys: Space puts the pen down, arrows draw (Shift: by 10), Enter closes.';

  down(x, y) {
    this.byKeys = false;
    this.points = [];
    this.isDragging = true;
    this.add(x, y);
  }

  move(x, y) {
    if (!this.isDragging) return;
    const count = this.points.length;
    const moved = Math.hypot(x - this.points[count - 2], y - this.points[count - 1]);
    if (moved * this.view.scale >= 1.5) this.add(x, y);
  }

  up() {
    if (this.isDragging) this.close(FREEHAND_TOLERANCE / this.view.scale);
  }

  press() {
    if (!this.cursor) this.key({}, [0, 0]);
    this.add(...this.cursor);
    this.app.say('The pen is down.');
  }

  moved() {
    if (this.points.length > 0) this.points.push(...this.cursor);
  }

  end() {
    if (this.points.length >= 6) this.close(0);
    else this.app.say('Draw around a cell first.');
  }
}

/** The outline of a cell as rings of corners. Holes and specks are omitted, because polygons have no holes. */
function cornersOf(outline) {
  if (!outline) return undefined;
  if (!outline.isMask) return outline.rings.map((ring) => [...ring]);
  const outer = outline.rings.filter((ring) => signedArea(ring) / 2 >= MIN_AREA);
  return outer.length > 0 ? outer.map((ring) => simplify(ring, STEP_TOLERANCE)) : undefined;
}

/** Moves, adds and deletes corners of the selected cell. */
export class CornersTool extends Tool {
  hint =
    'Corners: drag a corner, or a side to add one. Keys: J and K choose a corner, arrows move it (Shift: by 10), I adds one after it, Delete deletes it.';
  /** The corners of the selected cell; undefined without one. */
  rings;
  /** The corner that keys move: index of its ring, and of its x in the ring. */
  active;

  start() {
    this.active = undefined;
    this.refresh();
    if (!this.rings) this.app.say('Select a cell first: click it, or press J.');
  }

  stop() {
    this.rings = undefined;
    this.isDragging = false;
  }

  /** Reads the outline again: another cell is selected, or it has changed. */
  refresh() {
    this.rings = cornersOf(this.app.outlineOf(this.app.selected));
    const isThere = this.active && this.rings?.[this.active.ring]?.length > this.active.at;
    if (!isThere) this.active = { ring: 0, at: 0 };
    this.view.draw();
  }

  #commit() {
    if (this.rings.every((ring) => areaOf(ring) >= MIN_AREA)) {
      const rings = this.rings.map((ring) => [...ring]);
      this.app.setOutline(this.app.selected, rings);
    } else {
      this.app.say('This outline is too small for a cell.');
      this.refresh();
    }
  }

  down(x, y) {
    const corner = this.rings && nearestCorner(this.rings, x, y);
    if (corner && corner.distance <= this.near) this.active = { ring: corner.ring, at: corner.at };
    else {
      const side = this.rings && nearestSide(this.rings, x, y);
      if (!side || side.distance > this.near) {
        this.app.selectAt(x, y);
        return;
      }
      this.rings[side.ring].splice(side.at, 0, ...this.inside(x, y));
      this.active = { ring: side.ring, at: side.at };
      this.isChanged = true;
    }
    this.isDragging = true;
    this.view.draw();
  }

  move(x, y) {
    if (!this.isDragging) return;
    this.isChanged = true;
    this.rings[this.active.ring].splice(this.active.at, 2, ...this.inside(x, y));
    this.view.draw();
  }

  up() {
    if (!this.isDragging) return;
    this.isDragging = false;
    if (this.isChanged) this.#commit();
    this.isChanged = false;
  }

  key(event, step) {
    if (!this.rings) return false;
    const { ring, at } = this.active;
    const points = this.rings[ring];
    if (step) {
      points.splice(at, 2, ...this.inside(points[at] + step[0], points[at + 1] + step[1]));
      this.#commit();
    } else if (event.key === 'j') this.#choose(1);
    else if (event.key === 'k') this.#choose(-1);
    else if (event.key === 'i') {
      const next = (at + 2) % points.length;
      const middle = this.inside((points[at] + points[next]) / 2, (points[at + 1] + points[next + 1]) / 2);
      points.splice(at + 2, 0, ...middle);
      this.active = { ring, at: at + 2 };
      this.#commit();
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      if (points.length <= 6) this.app.say('An outline has three corners or more.');
      else {
        points.splice(at, 2);
        this.active = { ring, at: at % points.length };
        this.#commit();
      }
    } else return false;
    this.view.draw();
    return true;
  }

  /** Chooses the corner after or before the active one, over all parts. */
  #choose(step) {
    const all = this.rings.flatMap((points, ring) =>
      Array.from({ length: points.length / 2 }, (_, i) => ({ ring, at: 2 * i })),
    );
    const now = all.findIndex(({ ring, at }) => ring === this.active.ring && at === this.active.at);
    this.active = all[(now + step + all.length) % all.length];
    const points = this.rings[this.active.ring];
    const [x, y] = [points[this.active.at], points[this.active.at + 1]];
    this.app.say(`Corner at ${x}, ${y}.`);
    this.view.reveal([x, y, x, y]);
  }

  draw(context) {
    if (!this.rings) return;
    this.view.stroke(context, new Path2D(pathOfRings(this.rings)), { colour: '#ff9d2e', width: 2 });
    for (const [ring, points] of this.rings.entries()) {
      for (let at = 0; at < points.length; at += 2) {
        const isActive = this.active?.ring === ring && this.active.at === at;
        this.view.handle(context, points[at], points[at + 1], isActive);
      }
    }
  }
}
