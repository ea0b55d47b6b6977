// The canvases: the image below, outlines above. Nothing in the page grows with the number of cells but two paths per style.

import { pathOfRings } from './geometry.js';

const MAX_SCALE = 64;
/** Pixels of the screen per pixel of the image from which on single pixels are shown as squares. */
const SQUARES_FROM = 3;

export class View {
  #stage;
  #pixels;
  #cells;
  #bitmap;
  #isScheduled = false;
  #groups = [];
  #fitted = true;
  /** Size of the image. */
  size = { width: 1, height: 1 };
  scale = 1;
  /** Position of the image's corner on the stage, in pixels of the screen. */
  left = 0;
  top = 0;
  /** Whether outlines are drawn. */
  outlines = true;
  /** Drawn above all cells: the selected cell's path, and what a tool shows. */
  selected;
  overlay = () => {};

  constructor(stage, pixels, cells) {
    this.#stage = stage;
    this.#pixels = pixels;
    this.#cells = cells;
    new ResizeObserver(() => this.#resize()).observe(stage);
    this.#resize();
  }

  /** Shows another image, whole. The bitmap may have fewer pixels than the image. */
  show(bitmap, size) {
    this.#bitmap = bitmap;
    this.size = size;
    this.fit();
  }

  /** Sets the outlines: groups of cells with one style and one path. */
  setGroups(groups) {
    this.#groups = groups;
    this.draw();
  }

  /** Brightness and contrast of the image as factors, 1 for none. */
  setDisplay(brightness, contrast) {
    this.#pixels.style.filter =
      brightness === 1 && contrast === 1 ? '' : `brightness(${brightness}) contrast(${contrast})`;
  }

  get #stageWidth() {
    return this.#stage.clientWidth;
  }

  get #stageHeight() {
    return this.#stage.clientHeight;
  }

  fit() {
    const { width, height } = this.size;
    this.#fitted = true;
    this.scale = Math.min(MAX_SCALE, this.#stageWidth / width, this.#stageHeight / height);
    this.left = (this.#stageWidth - width * this.scale) / 2;
    this.top = (this.#stageHeight - height * this.scale) / 2;
    this.draw();
  }

  /** Zooms by a factor, about a point of the stage. */
  zoom(factor, x = this.#stageWidth / 2, y = this.#stageHeight / 2) {
    const { width, height } = this.size;
    const minScale = Math.min(1, this.#stageWidth / width, this.#stageHeight / height) / 2;
    const scale = Math.max(minScale, Math.min(MAX_SCALE, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.#fitted = false;
    this.#keepInSight();
    this.draw();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.#fitted = false;
    this.#keepInSight();
    this.draw();
  }

  /** Moves the image if a box of it (x1, y1, x2, y2) is not in sight. */
  reveal([x1, y1, x2, y2]) {
    const [left, top] = this.toStage(x1, y1);
    const [right, bottom] = this.toStage(x2, y2);
    const margin = 24;
    const shift = (from, to, size) => {
      if (from >= margin && to <= size - margin) return 0;
      return size / 2 - (from + to) / 2;
    };
    const dx = shift(left, right, this.#stageWidth);
    const dy = shift(top, bottom, this.#stageHeight);
    if (!this.#fitted && (dx !== 0 || dy !== 0)) this.pan(dx, dy);
    else this.draw();
  }

  toImage(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  toStage(x, y) {
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  /** The middle of what is in sight, in pixels of the image. */
  get middle() {
    return this.toImage(this.#stageWidth / 2, this.#stageHeight / 2);
  }

  /** Draws before the next frame. */
  draw() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.#drawPixels();
      this.#drawCells();
    });
  }

  /** A part of the image stays on the stage. */
  #keepInSight() {
    const { width, height } = this.size;
    const visible = 48;
    const limit = (offset, length, stage) => Math.max(visible - length, Math.min(stage - visible, offset));
    this.left = limit(this.left, width * this.scale, this.#stageWidth);
    this.top = limit(this.top, height * this.scale, this.#stageHeight);
  }

  #resize() {
    const ratio = devicePixelRatio;
    for (const canvas of [this.#pixels, this.#cells]) {
      canvas.width = Math.max(1, Math.round(this.#stageWidth * ratio));
      canvas.height = Math.max(1, Math.round(this.#stageHeight * ratio));
    }
    if (this.#fitted) this.fit();
    else this.draw();
  }

  #context(canvas) {
    const context = canvas.getContext('2d');
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const ratio = devicePixelRatio;
    context.setTransform(this.scale * ratio, 0, 0, this.scale * ratio, this.left * ratio, this.top * ratio);
    return context;
  }

  #drawPixels() {
    const context = this.#context(this.#pixels);
    if (!this.#bitmap) return;
    context.imageSmoothingEnabled = this.scale < SQUARES_FROM;
    context.drawImage(this.#bitmap, 0, 0, this.size.width, this.size.height);
  }

  #drawCells() {
    const context = this.#context(this.#cells);
    context.lineJoin = 'round';
    if (this.outlines) {
      for (const { path, style } of this.#groups) this.stroke(context, path, style);
    }
    if (this.selected) {
      context.fillStyle = 'rgb(255 255 255 / 20%)';
      context.fill(this.selected, 'evenodd');
      this.stroke(context, this.selected, { colour: '#ffffff', width: 2.5 });
    }
    this.overlay(context);
  }

  /** A line with a dark rim, which is visible on bright and dark images. Widths are in pixels of the screen. */
  stroke(context, path, { colour, width = 1.5, dash = [] }) {
    const pixel = 1 / this.scale;
    context.setLineDash([]);
    context.strokeStyle = 'rgb(0 0 0 / 65%)';
    context.lineWidth = (width + 2) * pixel;
    context.stroke(path);
    context.setLineDash(dash.map((length) => length * pixel));
    context.strokeStyle = colour;
    context.lineWidth = width * pixel;
    context.stroke(path);
    context.setLineDash([]);
  }

  /** A square of some pixels of the screen: a corner of an outline. */
  handle(context, x, y, isActive) {
    const side = (isActive ? 9 : 7) / this.scale;
    context.fillStyle = '#000000';
    context.fillRect(
      x - side / 2 - 1 / this.scale,
      y - side / 2 - 1 / this.scale,
      side + 2 / this.scale,
      side + 2 / this.scale,
    );
    context.fillStyle = isActive ? '#ff9d2e' : '#ffffff';
    context.fillRect(x - side / 2, y - side / 2, side, side);
  }

  /** The cross that the arrow keys move. */
  cross(context, x, y) {
    const reach = 10 / this.scale;
    const path = new Path2D(`M${x - reach} ${y}h${2 * reach}M${x} ${y - reach}v${2 * reach}`);
    this.stroke(context, path, { colour: '#ff9d2e', width: 2 });
  }

  /** A line through points, which is not closed. */
  line(context, points, style) {
    if (points.length < 4) return;
    this.stroke(context, new Path2D(pathOfRings([points]).slice(0, -1)), style);
  }
}
