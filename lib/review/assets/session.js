// Requests to the server, and autosave.

/** Where this page is: the token is the first part of its path. */
const base = location.pathname.replace(/\/*$/, '/');

/** Milliseconds without another change after which changes are saved, and between attempts. */
const SAVE_AFTER_MS = 300;
const RETRY_AFTER_MS = 2000;

/** An answer that reports an error. */
export class RequestFailed extends Error {
  constructor(status, body) {
    super(body.message ?? `The server answered ${status}.`);
    this.status = status;
    this.body = body;
  }
}

async function send(path, { method = 'GET', body, keepalive = false } = {}) {
  const response = await fetch(base + path, {
    method,
    keepalive,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  });
  if (!response.ok) throw new RequestFailed(response.status, await response.json().catch(() => ({})));
  return response;
}

const sendJson = async (path, options) => (await send(path, options)).json();

export const loadSession = () => sendJson('session');
export const loadImage = (index) => sendJson(`images/${index}`);
export const savePosition = (image) => sendJson('position', { method: 'PUT', body: { image } });
export const finishReview = () => sendJson('finish', { method: 'POST', body: {} });

/** The pixels of images, of which the last few are kept: the next image is loaded ahead. */
export class PixelCache {
  #images = new Map();

  load(index) {
    const known = this.#images.get(index);
    this.#images.delete(index);
    const image = known ?? this.#fetch(index);
    this.#images.set(index, image);
    for (const [old, loaded] of this.#images) {
      if (this.#images.size <= 3) break;
      this.#images.delete(old);
      loaded.then((bitmap) => bitmap.close()).catch(() => {});
    }
    return image;
  }

  #fetch(index) {
    const image = send(`images/${index}/pixels`)
      .then((response) => response.blob())
      .then((blob) => createImageBitmap(blob));
    // A failure is not kept: the next attempt asks again.
    image.catch(() => this.#images.delete(index));
    return image;
  }
}

/**
 * Saves the document of an image after each change. `document` has index, revision, reviewed and history; `report` is
 * called with a state: saved, waiting, failed (with an error), refused (with an error) or conflict (with what is stored).
 */
export class Saver {
  #document;
  #report;
  #timer;
  #isDirty = false;
  #running;

  constructor(document, report) {
    this.#document = document;
    this.#report = report;
  }

  get isSaved() {
    return !this.#isDirty && !this.#running;
  }

  /** Saves soon. */
  changed() {
    this.#isDirty = true;
    this.#report('waiting');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), SAVE_AFTER_MS);
  }

  /** Saves now. Returns whether everything is saved. */
  async flush(options = {}) {
    clearTimeout(this.#timer);
    await this.#running;
    if (this.#isDirty) {
      this.#running = this.#save(options);
      await this.#running;
      this.#running = undefined;
    }
    return !this.#isDirty;
  }

  /** Stops saving, because the document is replaced. */
  stop() {
    clearTimeout(this.#timer);
    this.#isDirty = false;
  }

  async #save(options) {
    const document = this.#document;
    const { revision, reviewed } = document;
    const { edits } = document.history;
    this.#isDirty = false;
    try {
      const body = { revision, reviewed, edits };
      const saved = await sendJson(`images/${document.index}`, { method: 'PUT', body, ...options });
      document.revision = saved.revision;
      if (!this.#isDirty) this.#report('saved');
    } catch (error) {
      this.#isDirty = true;
      if (error.status === 409) this.#report('conflict', error.body);
      else if (error.status === 422) this.#report('refused', error);
      else {
        this.#report('failed', error);
        this.#timer = setTimeout(() => this.flush(), RETRY_AFTER_MS);
      }
    }
  }
}
