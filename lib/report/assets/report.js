// Script of the report page. It is embedded as it is: no imports and no requests. Texts from the data are inserted as
// text, never as HTML.

const data = JSON.parse(document.getElementById('data').textContent);
const rowsAtOnce = 50;
const MAX_ZOOM = 40;

/** The view of an image: the image, moved and scaled by the browser, and a canvas above it with the outlines. */
class Stage {
  constructor(section, entry) {
    this.entry = entry;
    this.box = section.querySelector('.stage');
    this.image = this.box.querySelector('img');
    this.canvas = this.box.appendChild(document.createElement('canvas'));
    this.said = section.querySelector('.said');
    this.outlines = section.querySelector('[data-show=outlines]');
    this.tint = section.querySelector('[data-show=tint]');
    // Created when first drawn, so that a report of many images opens quickly.
    this.paths = undefined;
    this.chosen = -1;
    this.visible = false;
    this.view = { zoom: 1, x: 0, y: 0 };
    this.listen(section);
  }

  listen(section) {
    const { box } = this;
    for (const input of [this.outlines, this.tint]) input.addEventListener('change', () => this.draw());
    const acts = { in: () => this.zoomAt(1.5), out: () => this.zoomAt(1 / 1.5), fit: () => this.fit() };
    for (const button of section.querySelectorAll('[data-act]')) {
      button.addEventListener('click', acts[button.dataset.act]);
    }
    new ResizeObserver(() => this.draw()).observe(box);
    new IntersectionObserver(
      ([entry]) => {
        this.visible = entry.isIntersecting;
        this.draw();
      },
      { rootMargin: '50%' },
    ).observe(box);
    box.addEventListener(
      'wheel',
      (event) => {
        // Without zoom, the wheel scrolls the page; Ctrl or Cmd zooms.
        if (!event.ctrlKey && !event.metaKey && this.view.zoom === 1) return;
        event.preventDefault();
        this.zoomAt(Math.exp(-event.deltaY / 300), ...this.place(event));
      },
      { passive: false },
    );
    box.addEventListener('dblclick', (event) => this.zoomAt(event.shiftKey ? 0.5 : 2, ...this.place(event)));
    box.addEventListener('keydown', (event) => this.key(event));
    this.listenToDrags();
  }

  listenToDrags() {
    const { box } = this;
    let last;
    let moved = 0;
    box.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      last = [event.clientX, event.clientY];
      moved = 0;
      box.setPointerCapture(event.pointerId);
      box.classList.add('dragged');
    });
    box.addEventListener('pointermove', (event) => {
      if (!last) return;
      const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
      last = [event.clientX, event.clientY];
      moved += Math.abs(dx) + Math.abs(dy);
      this.move(dx, dy);
    });
    const end = (event) => {
      if (last && event.type === 'pointerup' && moved < 4) this.choose(this.cellAt(...this.place(event)));
      last = undefined;
      box.classList.remove('dragged');
    };
    box.addEventListener('pointerup', end);
    box.addEventListener('pointercancel', end);
  }

  key(event) {
    const step = 60;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const acts = {
      '+': () => this.zoomAt(1.5),
      '=': () => this.zoomAt(1.5),
      '-': () => this.zoomAt(1 / 1.5),
      0: () => this.fit(),
      o: () => this.toggle(this.outlines),
      Escape: () => this.choose(-1),
    };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves && this.view.zoom > 1) this.move(...moves[event.key]);
    else if (event.key in acts) acts[event.key]();
    else return;
    event.preventDefault();
  }

  toggle(input) {
    input.checked = !input.checked;
    this.draw();
  }

  /** Position of an event on the stage, in CSS pixels. */
  place(event) {
    const { left, top } = this.box.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** CSS pixels per image pixel without zoom. */
  get scale() {
    return this.box.clientWidth / this.entry.width;
  }

  zoomAt(factor, x = this.box.clientWidth / 2, y = this.box.clientHeight / 2) {
    const { view } = this;
    const zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor));
    view.x = x - ((x - view.x) * zoom) / view.zoom;
    view.y = y - ((y - view.y) * zoom) / view.zoom;
    view.zoom = zoom;
    this.move(0, 0);
  }

  /** Moves the view. The image always covers the stage. */
  move(dx, dy) {
    const { view, box } = this;
    const within = (at, side) => Math.min(0, Math.max(side * (1 - view.zoom), at));
    view.x = within(view.x + dx, box.clientWidth);
    view.y = within(view.y + dy, box.clientHeight);
    box.classList.toggle('zoomed', view.zoom > 1);
    this.draw();
  }

  fit() {
    this.view = { zoom: 1, x: 0, y: 0 };
    this.move(0, 0);
  }

  /** Index of the cell with the highest score at a position, -1 if there is none. */
  cellAt(x, y) {
    const { view, scale, entry } = this;
    const [px, py] = [(x - view.x) / (scale * view.zoom), (y - view.y) / (scale * view.zoom)];
    const context = this.canvas.getContext('2d');
    context.setTransform(1, 0, 0, 1, 0, 0);
    this.makePaths();
    return entry.cells.score.findIndex((_, i) => context.isPointInPath(this.paths[i], px, py, 'evenodd'));
  }

  choose(cell) {
    const { cells } = this.entry;
    this.chosen = cell;
    this.said.textContent =
      cell < 0
        ? ''
        : `Cell ${cell + 1}: score ${cells.score[cell].toFixed(3)}, ${cells.area[cell].toLocaleString('en')} pixels, ` +
          `middle at ${cells.x[cell]}, ${cells.y[cell]}`;
    this.draw();
  }

  /** Centres a cell and enlarges it. */
  show(cell) {
    const { box, scale, view, entry } = this;
    const side = Math.sqrt(entry.cells.area[cell]) * scale;
    view.zoom = Math.min(MAX_ZOOM, Math.max(1, box.clientWidth / 8 / side));
    view.x = box.clientWidth / 2 - entry.cells.x[cell] * scale * view.zoom;
    view.y = box.clientHeight / 2 - entry.cells.y[cell] * scale * view.zoom;
    this.move(0, 0);
    this.choose(cell);
  }

  makePaths() {
    this.paths ??= this.entry.cells.outline.map((path) => new Path2D(path));
  }

  draw(always = false) {
    if (!this.visible && !always) return;
    cancelAnimationFrame(this.frame);
    if (always) this.drawNow();
    else this.frame = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    const { box, canvas, view, scale, image, entry } = this;
    image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    image.style.imageRendering = view.zoom * scale > 3 ? 'pixelated' : 'auto';
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(box.clientWidth * ratio), Math.round(box.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext('2d');
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const enlarged = scale * view.zoom;
    context.setTransform(ratio * enlarged, 0, 0, ratio * enlarged, ratio * view.x, ratio * view.y);
    this.makePaths();
    const { colour } = entry.cells;
    // Cells are sorted by descending score; the best are drawn last, on top.
    for (let cell = this.paths.length - 1; cell >= 0; cell--) {
      if (this.tint.checked) {
        context.fillStyle = `rgb(${data.palette[colour[cell]]} / 25%)`;
        context.fill(this.paths[cell], 'evenodd');
      }
      if (this.outlines.checked) {
        context.lineWidth = 1.5 / enlarged;
        context.strokeStyle = `rgb(${data.palette[colour[cell]]})`;
        context.stroke(this.paths[cell]);
      }
    }
    if (this.chosen < 0) return;
    for (const [size, style] of [
      [6, '#000'],
      [3, '#fff'],
    ]) {
      context.lineWidth = size / enlarged;
      context.strokeStyle = style;
      context.stroke(this.paths[this.chosen]);
    }
  }
}

/** The table of all cells, one page at a time, because browsers are slow with 10,000 rows. */
class CellTable {
  constructor(table, stages) {
    this.body = table.querySelector('tbody');
    this.heads = Array.from(table.querySelectorAll('th[data-key]'));
    this.stages = stages;
    this.pages = document.getElementById('pages');
    this.select = document.getElementById('of-image');
    this.page = 0;
    this.key = undefined;
    this.ascending = true;
    const columns = ['image', 'cell', 'score', 'area', 'x', 'y'];
    const total = data.images.reduce((sum, { cells }) => sum + cells.score.length, 0);
    this.columns = Object.fromEntries(columns.map((name) => [name, new Float64Array(total)]));
    let row = 0;
    data.images.forEach(({ cells }, image) => {
      for (let cell = 0; cell < cells.score.length; cell++, row++) {
        this.columns.image[row] = image;
        this.columns.cell[row] = cell + 1;
        for (const name of ['score', 'area', 'x', 'y']) this.columns[name][row] = cells[name][cell];
      }
    });
    for (const head of this.heads)
      head.querySelector('button').addEventListener('click', () => this.sort(head));
    this.select.addEventListener('change', () => this.filter());
    for (const [id, step] of [
      ['first', -Infinity],
      ['back', -1],
      ['on', 1],
      ['last', Infinity],
    ]) {
      document.getElementById(id).addEventListener('click', () => this.turn(step));
    }
    document.getElementById('save').addEventListener('click', () => this.save());
    this.filter();
  }

  /** The rows that are chosen, in the order that is shown, as a CSV file. */
  save() {
    const quoted = (text) => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const { image, cell, score, area, x, y } = this.columns;
    const lines = Array.from(this.order, (row) => {
      const { name, type } = data.images[image[row]];
      return [name, type ?? '', cell[row], score[row], area[row], x[row], y[row]].map((field) =>
        quoted(String(field)),
      );
    });
    const text = [['image', 'cell_type', 'cell', 'score', 'area', 'x', 'y'], ...lines]
      .map((line) => `${line.join(',')}\n`)
      .join('');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
    link.download = 'cells.csv';
    link.click();
    // Not at once: the browser reads it after this turn.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  filter() {
    const wanted = this.select.value;
    const { image } = this.columns;
    this.order = Uint32Array.from(image.keys()).filter(
      (row) => wanted === '' || image[row] === Number(wanted),
    );
    this.arrange();
  }

  sort(head) {
    const { key } = head.dataset;
    // The first click sorts scores and areas in descending order, other columns in ascending order.
    this.ascending = this.key === key ? !this.ascending : key !== 'score' && key !== 'area';
    this.key = key;
    for (const other of this.heads) {
      if (other === head) other.setAttribute('aria-sort', this.ascending ? 'ascending' : 'descending');
      else other.removeAttribute('aria-sort');
    }
    this.arrange();
  }

  arrange() {
    const values = this.columns[this.key];
    const sign = this.ascending ? 1 : -1;
    this.order.sort((a, b) => (values ? sign * (values[a] - values[b]) : 0) || a - b);
    this.page = 0;
    this.fill();
  }

  turn(step) {
    const last = Math.max(0, Math.ceil(this.order.length / rowsAtOnce) - 1);
    this.page = Math.min(last, Math.max(0, this.page + step));
    this.fill();
  }

  fill() {
    const first = this.page * rowsAtOnce;
    const shown = this.order.subarray(first, first + rowsAtOnce);
    this.body.replaceChildren(...Array.from(shown, (row) => this.row(row)));
    const last = first + rowsAtOnce >= this.order.length;
    for (const [ids, off] of [
      [['first', 'back'], first === 0],
      [['on', 'last'], last],
    ]) {
      for (const id of ids) document.getElementById(id).disabled = off;
    }
    const number = (value) => value.toLocaleString('en');
    this.pages.textContent =
      this.order.length === 0
        ? 'No cells'
        : `Cells ${number(first + 1)} to ${number(first + shown.length)} of ${number(this.order.length)}`;
  }

  row(row) {
    const { columns } = this;
    const [image, cell] = [columns.image[row], columns.cell[row] - 1];
    const { name, type } = data.images[image];
    const line = document.createElement('tr');
    const values = [
      name,
      type ?? '',
      columns.cell[row],
      columns.score[row].toFixed(3),
      columns.area[row].toLocaleString('en'),
      columns.x[row],
      columns.y[row],
    ];
    values.forEach((value, i) => {
      const field = line.insertCell();
      field.textContent = value;
      field.className = i === 0 ? 'name' : i > 1 ? 'number' : '';
    });
    line.tabIndex = 0;
    const show = () => {
      for (const other of this.body.querySelectorAll('.chosen')) other.classList.remove('chosen');
      line.classList.add('chosen');
      this.stages[image].box.scrollIntoView({ block: 'center' });
      this.stages[image].show(cell);
    };
    line.addEventListener('click', show);
    line.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      show();
      this.stages[image].box.focus({ preventScroll: true });
    });
    return line;
  }
}

const sections = Array.from(document.querySelectorAll('.image'));
const stages = sections.map((section, i) => new Stage(section, data.images[i]));
new CellTable(document.getElementById('cells'), stages);

for (const show of ['outlines', 'tint']) {
  document.getElementById(`all-${show}`)?.addEventListener('change', (event) => {
    for (const stage of stages) {
      stage[show].checked = event.target.checked;
      stage.draw();
    }
  });
}
// In print every image is drawn completely, also those that were never scrolled to.
window.addEventListener('beforeprint', () => {
  for (const stage of stages) {
    stage.view = { zoom: 1, x: 0, y: 0 };
    stage.draw(true);
  }
});
