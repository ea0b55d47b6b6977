import type { DType } from '../table.js';

/**
 * Values of a pickle, as plain data. Integers that are not exact in a double are bigints, Python's bytes are
 * Uint8Arrays, and instances of Python classes are PyObjects.
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
  // Created with the first entry: an empty dict takes one byte in a pickle, but a Map about 200 bytes in memory.
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

/** The name of a class or function. It is never resolved. */
export class PyGlobal {
  constructor(readonly name: string) {}
}

/** A call of `callee` that was not executed. */
export class PyObject {
  state: Value = null;
  readonly items: Value[] = [];
  readonly entries: [Value, Value][] = [];

  constructor(
    readonly callee: string,
    readonly args: Value,
  ) {}

  /** Returns an attribute of the instance, from the dict in its state. */
  attribute(name: string): Value | undefined {
    const parts = this.state instanceof PyTuple ? this.state.items : [this.state];
    for (const part of parts) {
      const found = part instanceof PyDict ? part.get(name) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** A storage named by a persistent id. The container of the pickle knows its location. */
export interface StorageRef {
  readonly kind: 'storage';
  key: string;
  /** undefined for an untyped storage, whose length is in bytes. */
  dtype: DType | undefined;
  length: number;
  /** Position in the file of the opcode that named it. */
  position: number;
  /** In files older than PyTorch 0.4: the used part of the storage, in elements. */
  view: { start: number; length: number } | undefined;
}

export interface TensorRef {
  readonly kind: 'tensor';
  storage: StorageRef;
  dtype: DType;
  /** Offset in elements from the start of the storage. */
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
