import type { DType } from '../table.js';

/**
 * What a pickle can build here: plain data. Integers beyond a double's are bigints, Python's bytes are
 * Uint8Arrays, and whatever a Python class would have made is a PyObject that says what was asked for.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyTuple
  | PyList
  | PySet
  | PyDict
  | PyGlobal
  | PyObject
  | StorageRef
  | TensorRef;

export class PyTuple {
  constructor(readonly items: readonly Value[]) {}
}

export class PyList {
  readonly items: Value[] = [];
}

export class PySet {
  readonly items: Value[] = [];
}

/** A dict or OrderedDict, with the attributes that a state dict carries (`_metadata`). */
export class PyDict {
  attributes: Value = null;
  // Made with the first entry: an empty dict costs a pickle one byte, a Map costs us two hundred.
  private map: Map<Value, Value> | undefined;

  get size(): number {
    return this.map?.size ?? 0;
  }

  get(key: Value): Value | undefined {
    return this.map?.get(key);
  }

  set(key: Value, value: Value): void {
    this.map ??= new Map();
    this.map.set(key, value);
  }

  entries(): Iterable<[Value, Value]> {
    return this.map ?? [];
  }
}

/** A name of a class or function. It stays a name. */
export class PyGlobal {
  constructor(readonly name: string) {}
}

/** What calling `callee` would have made. */
export class PyObject {
  state: Value = null;
  readonly items: Value[] = [];
  readonly entries: [Value, Value][] = [];

  constructor(
    readonly callee: string,
    readonly args: Value,
  ) {}

  /** The instance's attribute, from the dict its state is or holds. */
  attribute(name: string): Value | undefined {
    const parts = this.state instanceof PyTuple ? this.state.items : [this.state];
    for (const part of parts) {
      const found = part instanceof PyDict ? part.get(name) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** A storage named by a persistent id: where it lies is the container's business. */
export interface StorageRef {
  readonly kind: 'storage';
  key: string;
  /** None for an untyped storage, whose length is in bytes. */
  dtype: DType | undefined;
  length: number;
  /** Byte in the file of the pickle operation that named it. */
  position: number;
  /** In files older than PyTorch 0.4: the part of the storage meant, in elements. */
  view: { start: number; length: number } | undefined;
}

export interface TensorRef {
  readonly kind: 'tensor';
  storage: StorageRef;
  dtype: DType;
  /** In elements, from the start of the storage. */
  offset: number;
  shape: number[];
  strides: number[];
  position: number;
}

export function isTensor(value: Value | undefined): value is TensorRef {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'tensor';
}

export function isStorage(value: Value | undefined): value is StorageRef {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'storage';
}
