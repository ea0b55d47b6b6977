// Edits of one image, as the server stores them: { removed, changed, added, cellType }. They are never changed: every
// function returns new ones. A cell is named by a key: `p` and the index of a predicted cell, `a` and the id of a drawn one.

export const keyOfPredicted = (index) => `p${index}`;
export const keyOfAdded = (id) => `a${id}`;
const isPredicted = (key) => key[0] === 'p';
const numberOf = (key) => Number(key.slice(1));

/** An object without the keys whose value is undefined. */
const defined = (values) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** Adds a cell. Returns the edits and its key. */
export function addCell(edits, polygons, name) {
  const id = 1 + Math.max(-1, ...edits.added.map((cell) => cell.id));
  const cell = defined({ id, polygons, class: name });
  return { edits: { ...edits, added: [...edits.added, cell] }, key: keyOfAdded(id) };
}

export function removeCell(edits, key) {
  const number = numberOf(key);
  if (!isPredicted(key)) return { ...edits, added: edits.added.filter(({ id }) => id !== number) };
  return {
    ...edits,
    removed: [...edits.removed, number],
    changed: edits.changed.filter(({ cell }) => cell !== number),
  };
}

/** Changes the outline (`polygons`) or the class of a cell; values that equal the prediction are omitted. */
export function changeCell(edits, key, change, predictedClass) {
  const number = numberOf(key);
  if (!isPredicted(key)) {
    return {
      ...edits,
      added: edits.added.map((cell) => (cell.id === number ? { ...cell, ...change } : cell)),
    };
  }
  const before = edits.changed.find(({ cell }) => cell === number) ?? { cell: number };
  const { polygons, class: name } = { ...before, ...change };
  const after = defined({ cell: number, polygons, class: name === predictedClass ? undefined : name });
  const others = edits.changed.filter(({ cell }) => cell !== number);
  const isChanged = after.polygons !== undefined || after.class !== undefined;
  return { ...edits, changed: isChanged ? [...others, after] : others };
}

/** Sets the cell type of the image. */
export const changeType = (edits, cellType, predictedType) =>
  defined({ ...edits, cellType: cellType === predictedType ? undefined : cellType });

/** The present edits of an image with those before and after them. */
export class History {
  #past = [];
  #future = [];

  constructor(edits) {
    this.edits = edits;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  push(edits) {
    this.#past.push(this.edits);
    this.#future = [];
    this.edits = edits;
  }

  undo() {
    if (!this.canUndo) return false;
    this.#future.push(this.edits);
    this.edits = this.#past.pop();
    return true;
  }

  redo() {
    if (!this.canRedo) return false;
    this.#past.push(this.edits);
    this.edits = this.#future.pop();
    return true;
  }

  /** Takes back the last push without a redo: the server has refused it. */
  drop() {
    if (this.canUndo) this.edits = this.#past.pop();
  }
}
