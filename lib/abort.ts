/** Options of a call that can be stopped. */
export interface SignalOptions {
  /** Stops the call, which then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** The listeners of one signal, shared by all calls with that signal. */
class AbortListeners {
  readonly #listeners = new Set<() => void>();
  readonly #signal: AbortSignal;
  readonly #fire = () => {
    listenersOf.delete(this.#signal);
    // A listener may remove others; a copy keeps the order.
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.delete(listener)) listener();
    }
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#fire, { once: true });
  }

  add(listener: () => void): void {
    this.#listeners.add(listener);
  }

  delete(listener: () => void): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    this.#signal.removeEventListener('abort', this.#fire);
    listenersOf.delete(this.#signal);
  }
}

const listenersOf = new WeakMap<AbortSignal, AbortListeners>();

/**
 * Calls `listener` once when the signal aborts, and at once if it has aborted already. A signal gets one event listener, however
 * many calls share it: Node reports more than ten listeners of one target as a leak. Listeners must not throw.
 *
 * @returns a function that removes the listener; the event listener is removed with the last one.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => {};
  }
  let listeners = listenersOf.get(signal);
  if (!listeners) {
    listeners = new AbortListeners(signal);
    listenersOf.set(signal, listeners);
  }
  // Its own function: the same listener may be added twice.
  const own = () => listener();
  listeners.add(own);
  return () => listeners.delete(own);
}

/** Settles as `work`, or rejects with `signal.reason` as soon as the signal aborts. `work` then continues unobserved. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  // After an abort, nothing else observes its failure.
  work.catch(() => {});
  signal.throwIfAborted();
  let remove = () => {};
  const aborted = new Promise<never>((_, reject) => {
    remove = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    remove();
  }
}

/** The values of an iterable. Throws the signal's reason as soon as it aborts, also while the next value is awaited. */
export async function* valuesUntilAborted<T>(
  values: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator =
    Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await untilAborted(Promise.resolve(iterator.next()), signal);
      ended = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    if (!ended) endIterator(iterator);
  }
}

/**
 * Ends an iterator of which no more values are read. This is not awaited, because an iterator that waits for its next value may
 * never settle; its failure is ignored.
 */
export function endIterator(iterator: {
  return?(): IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
}): void {
  const ending = async () => iterator.return?.();
  ending().catch(() => {});
}
