/** Options of a call that can be stopped. */
export interface SignalOptions {
  /** Stops the call, which then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** What one signal calls when it aborts, however many calls share the signal. */
class AbortFan {
  readonly #listeners = new Set<() => void>();
  readonly #signal: AbortSignal;
  readonly #fire = () => {
    fans.delete(this.#signal);
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
    fans.delete(this.#signal);
  }
}

const fans = new WeakMap<AbortSignal, AbortFan>();

/**
 * Calls `listener` once when the signal aborts. A signal gets one event listener, however many calls share it: Node
 * reports more than ten listeners of one target as a leak. Listeners must not throw.
 *
 * @returns a function that removes the listener; the event listener is removed with the last one.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let fan = fans.get(signal);
  if (!fan) {
    fan = new AbortFan(signal);
    fans.set(signal, fan);
  }
  // Its own function: the same listener may be added twice.
  const own = () => listener();
  fan.add(own);
  return () => fan.delete(own);
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
