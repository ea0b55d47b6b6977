import { damaged, refused } from '../errors.js';
import type { Refusal } from '../table.js';
import type { ByteCursor } from './cursor.js';
import { constructorOf } from './globals.js';
import { readLiteral } from './literals.js';
import { Op } from './opcodes.js';
import { longFromText } from './scalars.js';
import {
  isStorage,
  isTensor,
  PyDict,
  PyGlobal,
  PyList,
  PyObject,
  PySet,
  PyTuple,
  type Value,
} from './values.js';

// One byte of a pickle can create an object of 100 bytes, so the number of objects is limited too.
const MAX_OPERATIONS = 20_000_000;
const MAX_STACK = 1_000_000;
const MAX_MEMO = 2_000_000;
const MAX_OBJECTS = 1_000_000;
const MAX_NAME = 1024;
const HIGHEST_PROTOCOL = 5;

const NOTHING = new PyTuple([]);

/** Resolves a persistent id. Its meaning depends on the container of the pickle. */
export type PersistentLoad = (id: Value, position: number) => Value;

/**
 * Executes the opcodes of a pickle on plain data. Nothing is imported, called or instantiated: a global remains a name, the
 * few calls that create data (see globals.ts) are replaced by their data, and each other call becomes a PyObject with its
 * arguments and is listed in `skippedCalls`.
 */
export class PickleMachine {
  /** Calls that were not executed, by name. */
  readonly skippedCalls = new Map<string, Refusal>();

  private readonly stack: Value[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, Value>();
  private readonly globals = new Map<string, PyGlobal>();
  private objects = 0;
  /** Position in the file of the current opcode. */
  private position = 0;

  constructor(
    private readonly cursor: ByteCursor,
    private readonly persistentLoad: PersistentLoad,
  ) {}

  /** Returns the pickled value; the cursor is then after the pickle. */
  run(): Value {
    for (let count = 0; count < MAX_OPERATIONS; count++) {
      this.position = this.cursor.position;
      const op = this.cursor.u8();
      if (op === Op.STOP) return this.pop();
      const value = this.step(op);
      if (value !== undefined) this.stack.push(value);
      if (this.stack.length > MAX_STACK) throw this.damaged('the stack of a pickle is too large');
    }
    throw this.damaged(`a pickle has more than ${MAX_OPERATIONS} opcodes`);
  }

  /** Executes one opcode. Returns the value that it pushes, or undefined. */
  private step(op: number): Value | undefined {
    const { cursor } = this;
    switch (op) {
      case Op.PROTO: {
        const protocol = cursor.u8();
        if (protocol > HIGHEST_PROTOCOL) throw this.damaged(`pickle protocol ${protocol} is unknown`);
        return undefined;
      }
      case Op.FRAME:
        cursor.expect(cursor.u64());
        return undefined;

      case Op.EMPTY_TUPLE:
        return NOTHING;
      case Op.TUPLE1:
        return this.tuple(1);
      case Op.TUPLE2:
        return this.tuple(2);
      case Op.TUPLE3:
        return this.tuple(3);
      case Op.TUPLE:
        return this.made(new PyTuple(this.popMark()));
      case Op.EMPTY_LIST:
        return this.made(new PyList());
      case Op.LIST:
        return this.made(filled(new PyList(), this.popMark()));
      case Op.EMPTY_DICT:
        return this.made(new PyDict());
      case Op.DICT: {
        const dict = this.made(new PyDict());
        this.setItems(dict, this.popMark());
        return dict;
      }
      case Op.EMPTY_SET:
        return this.made(new PySet());
      case Op.FROZENSET:
        return this.made(filled(new PySet(), this.popMark()));
      case Op.APPEND:
        this.addItems([this.pop()], PyList);
        return undefined;
      case Op.APPENDS:
        this.addItems(this.popMark(), PyList);
        return undefined;
      case Op.ADDITEMS:
        this.addItems(this.popMark(), PySet);
        return undefined;
      case Op.SETITEM: {
        const value = this.pop();
        const key = this.pop();
        this.setItems(this.top(), [key, value]);
        return undefined;
      }
      case Op.SETITEMS: {
        const pairs = this.popMark();
        this.setItems(this.top(), pairs);
        return undefined;
      }

      case Op.MARK:
        if (this.marks.length >= MAX_STACK) throw this.damaged('a pickle has too many marks');
        this.marks.push(this.stack.length);
        return undefined;
      case Op.POP:
        // If a mark is on top of the stack, POP removes the mark.
        if (this.marks.at(-1) === this.stack.length) this.marks.pop();
        else this.pop();
        return undefined;
      case Op.POP_MARK:
        this.popMark();
        return undefined;
      case Op.DUP:
        return this.top();

      case Op.PUT:
        this.memoize(this.index(cursor.line()));
        return undefined;
      case Op.BINPUT:
        this.memoize(cursor.u8());
        return undefined;
      case Op.LONG_BINPUT:
        this.memoize(cursor.u32());
        return undefined;
      case Op.MEMOIZE:
        this.memoize(this.memo.size);
        return undefined;
      case Op.GET:
        return this.recall(this.index(cursor.line()));
      case Op.BINGET:
        return this.recall(cursor.u8());
      case Op.LONG_BINGET:
        return this.recall(cursor.u32());

      case Op.GLOBAL:
        return this.global(cursor.line().toString('utf8'), cursor.line().toString('utf8'));
      case Op.STACK_GLOBAL: {
        const name = this.pop();
        const module = this.pop();
        if (typeof name !== 'string' || typeof module !== 'string')
          throw this.damaged('a global has no name');
        return this.global(module, name);
      }
      case Op.INST: {
        const callee = this.global(cursor.line().toString('utf8'), cursor.line().toString('utf8'));
        return this.call(callee, this.made(new PyTuple(this.popMark())));
      }
      case Op.OBJ: {
        const [callee, ...args] = this.popMark();
        if (callee === undefined) throw this.damaged('an object has no class');
        return this.call(callee, this.made(new PyTuple(args)));
      }
      case Op.NEWOBJ_EX: {
        const named = this.pop();
        const args = this.pop();
        return this.call(this.pop(), this.made(new PyTuple([args, named])));
      }
      case Op.NEWOBJ:
      case Op.REDUCE: {
        const args = this.pop();
        return this.call(this.pop(), args);
      }
      case Op.BUILD: {
        const state = this.pop();
        this.build(this.top(), state);
        return undefined;
      }
      case Op.PERSID:
        return this.made(this.persistentLoad(cursor.line().toString('utf8'), this.position));
      case Op.BINPERSID:
        return this.made(this.persistentLoad(this.pop(), this.position));

      case Op.EXT1:
      case Op.EXT2:
      case Op.EXT4:
        throw refused(cursor.where(this.position), 'a pickle uses Python’s extension registry');
      case Op.NEXT_BUFFER:
      case Op.READONLY_BUFFER:
        throw refused(cursor.where(this.position), 'a pickle refers to external buffers');
      default: {
        const value = readLiteral(op, cursor, this.position);
        if (value === undefined) {
          throw this.damaged(`0x${op.toString(16).padStart(2, '0')} is not a pickle opcode`);
        }
        return value instanceof Uint8Array ? this.made(value) : value;
      }
    }
  }

  private damaged(what: string) {
    return damaged(this.cursor.where(this.position), what);
  }

  /** Counts created objects, so that a few bytes cannot demand much memory. */
  private made<T>(value: T, cost = 1): T {
    this.objects += cost;
    if (this.objects > MAX_OBJECTS) throw this.damaged(`a pickle has more than ${MAX_OBJECTS} objects`);
    return value;
  }

  private index(line: Buffer): number {
    const index = longFromText(line, this.cursor.where(this.position));
    if (typeof index !== 'number' || index < 0) throw this.damaged(`a pickle uses memo entry ${index}`);
    return index;
  }

  private top(): Value {
    if (this.stack.length <= (this.marks.at(-1) ?? 0))
      throw this.damaged('a pickle pops from an empty stack');
    return this.stack.at(-1)!;
  }

  private pop(): Value {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  /** Pops everything above the last mark. */
  private popMark(): Value[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.damaged('a pickle uses a mark that does not exist');
    return this.stack.splice(mark);
  }

  private tuple(length: number): PyTuple {
    const items = new Array<Value>(length);
    for (let i = length - 1; i >= 0; i--) items[i] = this.pop();
    return this.made(new PyTuple(items));
  }

  private addItems(values: Value[], kind: typeof PyList | typeof PySet): void {
    const target = this.top();
    if (!(target instanceof kind || target instanceof PyObject)) {
      throw this.damaged('a pickle appends to a value that is not a list');
    }
    for (const value of values) target.items.push(value);
  }

  private setItems(target: Value, pairs: Value[]): void {
    if (pairs.length % 2 !== 0) throw this.damaged('a pickle sets a key without a value');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i]!;
      const value = pairs[i + 1]!;
      if (target instanceof PyDict) target.set(key, value);
      else if (target instanceof PyObject) target.entries.push([key, value]);
      else throw this.damaged('a pickle sets an item of a value that is not a dict');
    }
  }

  private memoize(index: number): void {
    this.memo.set(index, this.top());
    if (this.memo.size > MAX_MEMO) throw this.damaged(`a pickle has more than ${MAX_MEMO} memo entries`);
  }

  private recall(index: number): Value {
    const value = this.memo.get(index);
    if (value === undefined)
      throw this.damaged(`a pickle reads memo entry ${index}, which was never written`);
    return value;
  }

  private global(module: string, name: string): PyGlobal {
    // Protocol 2 writes Python 3's builtins with their Python 2 module.
    const full = `${module === '__builtin__' ? 'builtins' : module}.${name}`;
    if (full.length > MAX_NAME) throw this.damaged(`the name of a global has ${full.length} characters`);
    let global = this.globals.get(full);
    if (!global) {
      global = this.made(new PyGlobal(full));
      this.globals.set(full, global);
    }
    return global;
  }

  private call(callee: Value, args: Value): Value {
    const name =
      callee instanceof PyGlobal
        ? callee.name
        : callee instanceof PyObject
          ? `${callee.callee.replace('(…)', '')}(…)`
          : undefined;
    if (name === undefined) throw this.damaged('a pickle calls a value that is not a function');
    const construct = callee instanceof PyGlobal ? constructorOf(name) : undefined;
    if (!construct) {
      this.skipCall(name);
      return this.made(new PyObject(name, args));
    }
    if (!(args instanceof PyTuple)) throw this.damaged(`${name} is called without a tuple of arguments`);
    this.made(undefined, sizeOf(args.items[0]));
    const value = construct(args.items, { name, where: this.cursor.where(this.position) });
    return this.made(value, isTensor(value) ? 1 + value.shape.length : 1);
  }

  private build(target: Value, state: Value): void {
    if (target instanceof PyObject) target.state = state;
    else if (target instanceof PyDict) target.attributes = state;
    // Attributes of a class or function pickled by value, or Python attributes of a tensor.
    else if (target instanceof PyGlobal) this.skipCall(target.name);
    else if (!isTensor(target) && !isStorage(target))
      throw this.damaged('a pickle sets the state of a value that has none');
  }

  private skipCall(what: string): void {
    const known = this.skippedCalls.get(what);
    if (known) known.times++;
    else this.skippedCalls.set(what, { what, where: this.position, times: 1 });
  }
}

function filled<T extends PyList | PySet>(target: T, values: Value[]): T {
  for (const value of values) target.items.push(value);
  return target;
}

/** Number of items that a constructor may copy from its argument, because one dict can be passed a million times. */
function sizeOf(value: Value | undefined): number {
  if (typeof value === 'string') return value.length / 16;
  if (value instanceof PyDict) return value.size;
  return value instanceof PyTuple || value instanceof PyList || value instanceof PySet
    ? value.items.length
    : 0;
}
