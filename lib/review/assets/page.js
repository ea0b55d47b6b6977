// The page of a review: connects the model (edits), the view, the tools and the server.

import { addCell, changeCell, changeType, History, keyOfAdded, keyOfPredicted, removeCell } from './edits.js';
import { boundsOf, isInside, pathOfRings, ringsOfPath, signedArea } from './geometry.js';
import { finishReview, loadImage, loadSession, PixelCache, Saver, savePosition } from './session.js';
import { CornersTool, FreehandTool, PolygonTool, SelectTool } from './tools.js';
import { View } from './view.js';

const element = (id) => document.getElementById(id);
const stage = element('stage');
const view = new View(stage, element('pixels'), element('cells'));
const pixels = new PixelCache();

/** Styles of cells by the kind of change. With several classes, the colour is that of the class. */
const STATES = {
  predicted: { name: 'predicted', colour: '#ffd23f' },
  changed: { name: 'changed', colour: '#4dd8ff', dash: [6, 3] },
  added: { name: 'added', colour: '#7dff6b', dash: [2, 2] },
};
const CLASS_COLOURS = [
  '#ffd23f',
  '#4dd8ff',
  '#ff7edb',
  '#7dff6b',
  '#ff9d2e',
  '#b9a4ff',
  '#ffffff',
  '#ff6b6b',
];
const WHEEL_STEP = 1.0015;
const PAN_STEP = 60;
/** Pixels of the screen that a pointer may move in a click. */
const CLICK = 4;

let session;
/** The image that is shown: what the server sent, its revision and history. */
let shown;
let saver;
/** Histories by image, so that undo works after coming back. */
const histories = new Map();
/** Cells of the image after its edits. */
let cells = [];
/** The cell that the next outline replaces. */
let redrawn;
/** Class of new cells. */
let currentClass;
let isSwitching = false;

const app = {
  view,
  selected: undefined,
  say(text) {
    element('said').textContent = text;
  },
  selectAt(x, y) {
    const hits = cells.filter(
      ({ bounds: [x1, y1, x2, y2], rings }) =>
        x >= x1 && x <= x2 && y >= y1 && y <= y2 && isInside(rings, x, y),
    );
    // The smallest one: a cell inside another could not be reached otherwise.
    hits.sort((a, b) => a.area - b.area);
    select(hits[0]?.key);
  },
  outlineOf(key) {
    const cell = cellOf(key);
    return cell && { rings: cell.rings, isMask: cell.isMask };
  },
  setOutline(key, polygons) {
    edit(changeCell(shown.history.edits, key, { polygons }, predictedClassOf(key)));
    app.say('Outline changed.');
  },
  /** A new outline: a new cell, or the selected one is drawn again. */
  addOutline(polygons) {
    const { edits } = shown.history;
    if (redrawn !== undefined && cellOf(redrawn)) {
      const key = redrawn;
      edit(changeCell(edits, key, { polygons }, predictedClassOf(key)));
      useTool('select');
      select(key);
      app.say('Cell drawn again.');
      return;
    }
    const name = session.classes.length > 1 ? currentClass : undefined;
    const added = addCell(edits, polygons, name);
    edit(added.edits);
    select(added.key);
    app.say(`Cell added: ${cells.length} cells.`);
  },
};

const tools = {
  select: new SelectTool(app),
  polygon: new PolygonTool(app),
  freehand: new FreehandTool(app),
  corners: new CornersTool(app),
};
let tool = tools.select;
let drawTool = 'polygon';

/** Outlines by the array of their rings, which edits never change. */
const shapes = new WeakMap();
function shapeOf(rings, isMask) {
  let shape = shapes.get(rings);
  if (!shape) {
    const area = Math.abs(rings.reduce((sum, ring) => sum + signedArea(ring), 0)) / 2;
    shape = { rings, isMask, bounds: boundsOf(rings), area, path: new Path2D(pathOfRings(rings)) };
    shapes.set(rings, shape);
  }
  return shape;
}

const cellOf = (key) => cells.find((cell) => cell.key === key);
const predictedClassOf = (key) => session.classes[shown.classes[Number(key.slice(1))]];

/** Derives the cells from the predictions and the edits. */
function readCells() {
  const { removed, changed, added } = shown.history.edits;
  const gone = new Set(removed);
  const changes = new Map(changed.map((one) => [one.cell, one]));
  cells = [];
  for (const [i, rings] of shown.rings.entries()) {
    if (gone.has(i) || rings.length === 0) continue;
    const change = changes.get(i);
    cells.push({
      key: keyOfPredicted(i),
      state: change ? 'changed' : 'predicted',
      class: change?.class ?? session.classes[shown.classes[i]],
      score: shown.scores?.[i],
      ...(change?.polygons ? shapeOf(change.polygons, false) : shapeOf(rings, true)),
    });
  }
  for (const { id, polygons, class: name } of added) {
    cells.push({
      key: keyOfAdded(id),
      state: 'added',
      class: name ?? session.classes[0],
      ...shapeOf(polygons, false),
    });
  }
}

function styleOf(cell) {
  const style = STATES[cell.state];
  if (session.classes.length === 1) return style;
  const colour = CLASS_COLOURS[session.classes.indexOf(cell.class) % CLASS_COLOURS.length];
  return { ...style, colour };
}

/** Shows the edits: outlines, counts, buttons. */
function render() {
  readCells();
  const groups = new Map();
  for (const cell of cells) {
    const name = `${cell.state} ${cell.class}`;
    if (!groups.has(name)) groups.set(name, { path: new Path2D(), style: styleOf(cell) });
    groups.get(name).path.addPath(cell.path);
  }
  view.setGroups([...groups.values()]);
  if (app.selected !== undefined && !cellOf(app.selected)) app.selected = undefined;
  renderSelected();
  if (tool === tools.corners) tool.refresh();
  renderCounts();
  element('undo').disabled = !shown.history.canUndo;
  element('redo').disabled = !shown.history.canRedo;
  element('reviewed').checked = shown.reviewed;
  element('type').value = shown.history.edits.cellType ?? shown.cellType ?? '';
}

function renderSelected() {
  const cell = cellOf(app.selected);
  view.selected = cell?.path;
  view.draw();
  element('delete').disabled = !cell;
  element('redraw').disabled = !cell;
  element('class').value = cell?.class ?? currentClass;
  element('cell').textContent = cell ? describe(cell) : 'None';
}

function describe(cell) {
  const parts = [
    `Cell ${cells.indexOf(cell) + 1} of ${cells.length}`,
    ...(session.classes.length > 1 ? [cell.class] : []),
    cell.state,
    `${Math.round(cell.area)} pixels`,
    ...(cell.score === undefined ? [] : [`score ${cell.score.toFixed(2)}`]),
  ];
  return parts.join(', ');
}

function renderCounts() {
  const { removed, changed, added } = shown.history.edits;
  const predicted = cells.filter(({ state }) => state === 'predicted').length;
  const rows = [
    [predicted, STATES.predicted],
    [changed.length, STATES.changed],
    [added.length, STATES.added],
  ].map(([count, style]) => {
    const item = document.createElement('li');
    item.append(sample(style), `${count} ${style.name}`);
    return item;
  });
  const gone = document.createElement('li');
  gone.append(`${removed.length} removed`);
  element('counts').replaceChildren(...rows, gone);
}

/** A line in a style, for the legend. */
function sample({ colour, dash = [] }) {
  const canvas = document.createElement('canvas');
  canvas.width = 70;
  canvas.height = 26;
  const context = canvas.getContext('2d');
  context.strokeStyle = session.classes.length > 1 ? '#ffffff' : colour;
  context.lineWidth = 4;
  context.setLineDash(dash.map((length) => 2 * length));
  context.moveTo(6, 13);
  context.lineTo(64, 13);
  context.stroke();
  canvas.setAttribute('aria-hidden', 'true');
  return canvas;
}

function edit(edits) {
  shown.history.push(edits);
  changed();
}

function changed() {
  render();
  saver.changed();
}

function select(key) {
  app.selected = key;
  const cell = cellOf(key);
  renderSelected();
  if (tool === tools.corners) tool.start();
  if (!cell) return app.say('No cell is selected.');
  app.say(describe(cell));
  view.reveal(cell.bounds);
}

function step(by) {
  if (cells.length === 0) return app.say('There are no cells.');
  const at = cells.findIndex(({ key }) => key === app.selected);
  const next = at < 0 ? (by > 0 ? 0 : cells.length - 1) : (at + by + cells.length) % cells.length;
  select(cells[next].key);
}

function deleteSelected() {
  const at = cells.findIndex(({ key }) => key === app.selected);
  if (at < 0) return app.say('Select a cell first: click it, or press J.');
  edit(removeCell(shown.history.edits, app.selected));
  // The next one, so that several can be deleted in a row.
  const next = cells[Math.min(at, cells.length - 1)];
  select(next?.key);
  app.say(`Cell deleted: ${cells.length} cells.${next ? ` ${describe(next)}` : ''}`);
}

function redrawSelected() {
  if (!cellOf(app.selected)) return app.say('Select a cell first: click it, or press J.');
  const key = app.selected;
  useTool(drawTool);
  redrawn = key;
  app.say(`The next outline replaces the selected cell. ${tool.hint}`);
}

function undo() {
  if (!shown.history.undo()) return app.say('There is nothing to undo.');
  changed();
  app.say('Undone.');
}

function redo() {
  if (!shown.history.redo()) return app.say('There is nothing to redo.');
  changed();
  app.say('Done again.');
}

function setClass(name) {
  if (name === undefined) return;
  currentClass = name;
  const cell = cellOf(app.selected);
  if (cell && cell.class !== name) {
    edit(changeCell(shown.history.edits, cell.key, { class: name }, predictedClassOf(cell.key)));
    app.say(`Class: ${name}.`);
  } else renderSelected();
}

function useTool(name) {
  redrawn = undefined;
  tool.stop();
  tool = tools[name];
  if (name === 'polygon' || name === 'freehand') drawTool = name;
  for (const button of document.querySelectorAll('[data-tool]')) {
    button.setAttribute('aria-pressed', String(button.dataset.tool === name));
  }
  stage.className = name;
  app.say(tool.hint ?? '');
  tool.start();
  view.overlay = (context) => tool.draw(context);
  view.draw();
  stage.focus({ preventScroll: true });
}

function setReviewed(reviewed) {
  shown.reviewed = reviewed;
  session.images[shown.index].reviewed = reviewed;
  renderImages();
  changed();
  app.say(reviewed ? 'Marked as reviewed.' : 'Not marked as reviewed.');
}

/** The list of images, in which reviewed ones have a tick. */
function renderImages() {
  const options = session.images.map(
    ({ name, reviewed }, i) => new Option(`${reviewed ? '✓ ' : ''}${name}`, i, false, i === shown.index),
  );
  element('image').replaceChildren(...options);
  const done = session.images.filter(({ reviewed }) => reviewed).length;
  element('progress').textContent = `${done} of ${session.images.length} reviewed`;
  element('back').disabled = shown.index === 0;
  element('next').disabled = shown.index === session.images.length - 1;
}

/** The list of cell types; predictions without one have an entry for that. */
function renderTypes() {
  const unknown = shown.cellType === undefined ? [new Option('none', '')] : [];
  element('type').replaceChildren(...unknown, ...session.cellTypes.map((name) => new Option(name)));
}

const STORED = {
  saved: 'Saved',
  waiting: 'Saving…',
};

function reportSaved(state, detail) {
  const text =
    STORED[state] ??
    (state === 'conflict'
      ? 'Not saved: changed in another tab'
      : `Not saved: ${detail.status === undefined ? 'the server does not answer; trying again' : detail.message}`);
  element('saved').textContent = text;
  element('saved').classList.toggle('failed', !(state in STORED));
  if (state === 'refused') {
    shown.history.drop();
    changed();
    app.say(`The change was refused: ${detail.message}`);
  }
  if (state === 'conflict') {
    resolveConflict = (keepsOwn) => {
      shown.revision = detail.revision;
      if (keepsOwn) saver.changed();
      else {
        saver.stop();
        shown.reviewed = detail.reviewed;
        shown.history = new History(detail.edits);
        histories.set(shown.index, shown.history);
        session.images[shown.index].reviewed = detail.reviewed;
        renderImages();
        render();
        reportSaved('saved');
      }
    };
    element('conflict').showModal();
  }
}
let resolveConflict;

/** Shows an image. Changes of the one before are saved first. */
async function open(index) {
  if (isSwitching || index < 0 || index >= session.images.length) return;
  isSwitching = true;
  try {
    if (saver && !(await saver.flush())) {
      app.say('The changes of this image are not saved yet.');
      return;
    }
    app.say(`Loading ${session.images[index].name}…`);
    const [data, bitmap] = await Promise.all([loadImage(index), pixels.load(index)]);
    if (!sameEdits(histories.get(index), data.edits)) histories.set(index, new History(data.edits));
    shown = { ...data, index, history: histories.get(index), rings: data.outlines.map(ringsOfPath) };
    delete shown.outlines;
    saver = new Saver(shown, reportSaved);
    session.images[index].reviewed = data.reviewed;
    app.selected = undefined;
    redrawn = undefined;
    tool.start();
    renderTypes();
    view.show(bitmap, { width: data.width, height: data.height });
    renderImages();
    render();
    reportSaved('saved');
    app.say(`${data.name}: ${cells.length} cells, ${data.width} × ${data.height} pixels.`);
    document.title = `${data.name}: cellroute review`;
    savePosition(index).catch(() => {});
    if (index + 1 < session.images.length) pixels.load(index + 1).catch(() => {});
  } catch (error) {
    app.say(`The image cannot be shown: ${error.message}`);
  } finally {
    isSwitching = false;
  }
}

/** Whether a history ends with what is stored: otherwise another tab has changed the image. */
const sameEdits = (history, edits) =>
  history !== undefined && JSON.stringify(history.edits) === JSON.stringify(edits);

async function finish() {
  if (!(await saver.flush())) return app.say('The changes of this image are not saved yet.');
  try {
    const { reviewed, removed, changed, added, unfinished, out } = await finishReview();
    saver.stop();
    element('work').hidden = true;
    document.querySelector('header').hidden = true;
    element('end').hidden = false;
    element('summary').textContent =
      `${reviewed} of ${session.images.length} images reviewed. Cells: ${removed} removed, ${changed} changed, ${added} added.` +
      (unfinished.length > 0 ? ` Changed but not marked as reviewed: ${unfinished.join(', ')}.` : '');
    element('next-step').hidden = reviewed === 0;
    element('command').textContent = `cellroute finetune ${out} --out my-model`;
    element('end').querySelector('h2').focus();
  } catch (error) {
    app.say(`The review cannot be ended: ${error.message}`);
  }
}

// Pointers: the tool gets places in the image; a drag of the select tool, of another button or of two fingers moves it.
const pointers = new Map();
let drag;

const placeOf = (event) => {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

stage.addEventListener('pointerdown', (event) => {
  if (!shown) return;
  stage.focus({ preventScroll: true });
  stage.setPointerCapture(event.pointerId);
  const place = placeOf(event);
  pointers.set(event.pointerId, place);
  if (pointers.size === 2) {
    // The first finger has drawn nothing yet that is worth keeping.
    tool.isDragging = false;
    if (tool.points) tool.points = [];
    drag = { pinch: true };
    return;
  }
  const moves = tool.pans || event.button !== 0;
  drag = { from: place, last: place, moves, isClick: event.button === 0 };
  tool.isTouch = event.pointerType === 'touch';
  if (!moves) tool.down(...view.toImage(...place));
});

stage.addEventListener('pointermove', (event) => {
  if (!shown) return;
  const place = placeOf(event);
  const before = pointers.get(event.pointerId);
  if (before) pointers.set(event.pointerId, place);
  if (drag?.pinch && pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const distance = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
    const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    view.zoom(distance(place) / Math.max(1, distance(before)), ...middle);
    view.pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
    return;
  }
  if (drag?.moves) {
    const isClick = Math.hypot(place[0] - drag.from[0], place[1] - drag.from[1]) <= CLICK;
    if (!isClick) drag.isClick = false;
    if (!drag.isClick) {
      stage.classList.add('moves');
      view.pan(place[0] - drag.last[0], place[1] - drag.last[1]);
    }
    drag.last = place;
    return;
  }
  tool.move(...view.toImage(...place));
});

for (const type of ['pointerup', 'pointercancel']) {
  stage.addEventListener(type, (event) => {
    pointers.delete(event.pointerId);
    stage.classList.remove('moves');
    const place = view.toImage(...placeOf(event));
    if (drag?.moves && drag.isClick && type === 'pointerup') tool.click?.(...place);
    else if (drag && !drag.moves && !drag.pinch) tool.up(...place);
    if (pointers.size === 0) drag = undefined;
  });
}

stage.addEventListener('dblclick', () => tool.double?.());
stage.addEventListener('contextmenu', (event) => event.preventDefault());
stage.addEventListener(
  'wheel',
  (event) => {
    event.preventDefault();
    view.zoom(WHEEL_STEP ** -event.deltaY, ...placeOf(event));
  },
  { passive: false },
);

// Keys.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const KEYS = {
  s: () => useTool('select'),
  p: () => useTool('polygon'),
  f: () => useTool('freehand'),
  e: () => useTool('corners'),
  r: redrawSelected,
  j: () => step(1),
  k: () => step(-1),
  Delete: deleteSelected,
  Backspace: deleteSelected,
  '+': () => view.zoom(1.25),
  '=': () => view.zoom(1.25),
  '-': () => view.zoom(0.8),
  0: () => view.fit(),
  o: () => setOutlines(!view.outlines),
  m: () => setReviewed(!shown.reviewed),
  n: () => open(shown.index + 1),
  b: () => open(shown.index - 1),
  Escape: () => (tool === tools.select ? select(undefined) : useTool('select')),
};

document.addEventListener('keydown', (event) => {
  if (!shown || element('conflict').open || element('work').hidden) return;
  const { target, key } = event;
  if (target.matches('select, input:not([type="checkbox"])')) return;
  if (event.ctrlKey || event.metaKey) {
    const isRedo = key.toLowerCase() === 'y' || (key.toLowerCase() === 'z' && event.shiftKey);
    if (isRedo) redo();
    else if (key.toLowerCase() === 'z') undo();
    else return;
    event.preventDefault();
    return;
  }
  if (event.altKey) return;
  // Space and Enter press the button that has the focus.
  const isOnStage = target === stage || target === document.body;
  if (!isOnStage && (key === ' ' || key === 'Enter')) return;
  if (useKey(event, isOnStage)) event.preventDefault();
});

function useKey(event, isOnStage) {
  const { key } = event;
  const direction = isOnStage ? ARROWS[key] : undefined;
  const length = event.shiftKey ? 10 : 1;
  const moved = direction?.map((value) => value * length);
  const name = key.length === 1 ? key.toLowerCase() : key;
  if (tool.key({ key: name }, moved)) return true;
  if (direction) {
    view.pan(...direction.map((value) => -value * PAN_STEP));
    return true;
  }
  if (/^[1-9]$/.test(key)) {
    setClass(session.classes[Number(key) - 1]);
    return true;
  }
  const action = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
  action?.();
  return action !== undefined;
}

// Controls.
function setOutlines(on) {
  view.outlines = on;
  element('outlines').checked = on;
  view.draw();
}

function setDisplay() {
  view.setDisplay(Number(element('brightness').value), Number(element('contrast').value));
}

const CLICKS = {
  back: () => open(shown.index - 1),
  next: () => open(shown.index + 1),
  finish,
  redraw: redrawSelected,
  delete: deleteSelected,
  undo,
  redo,
  out: () => view.zoom(0.8),
  in: () => view.zoom(1.25),
  fit: () => view.fit(),
  plain() {
    element('brightness').value = 1;
    element('contrast').value = 1;
    setDisplay();
  },
  theirs() {
    element('conflict').close();
    resolveConflict(false);
  },
  mine() {
    element('conflict').close();
    resolveConflict(true);
  },
};
for (const [id, action] of Object.entries(CLICKS)) {
  element(id).addEventListener('click', () => shown && action());
}
for (const button of document.querySelectorAll('[data-tool]')) {
  button.addEventListener('click', () => shown && useTool(button.dataset.tool));
}
element('image').addEventListener('change', async (event) => {
  await open(Number(event.target.value));
  // Another image may be shown still, if changes are not saved.
  event.target.value = shown.index;
});
element('reviewed').addEventListener('change', (event) => setReviewed(event.target.checked));
element('outlines').addEventListener('change', (event) => setOutlines(event.target.checked));
element('brightness').addEventListener('input', setDisplay);
element('contrast').addEventListener('input', setDisplay);
element('class').addEventListener('change', (event) => setClass(event.target.value));
element('type').addEventListener('change', (event) => {
  const type = event.target.value || undefined;
  edit(changeType(shown.history.edits, type, shown.cellType));
  app.say(`Cell type: ${type ?? 'none'}.`);
});
// A conflict has to be resolved.
element('conflict').addEventListener('cancel', (event) => event.preventDefault());
addEventListener('beforeunload', (event) => {
  if (saver && !saver.isSaved) event.preventDefault();
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) saver?.flush({ keepalive: true });
});

try {
  session = await loadSession();
  currentClass = session.classes[0];
  element('class').replaceChildren(...session.classes.map((name) => new Option(name)));
  element('class-of').hidden = session.classes.length < 2;
  element('type-of').hidden = session.cellTypes.length < 2;
  useTool('select');
  await open(session.position);
} catch (error) {
  app.say(`The review cannot be loaded: ${error.message}`);
}
