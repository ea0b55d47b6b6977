import { damaged, refused, type Where } from '../errors.js';
import { elementCount, MAX_RANK } from '../layout.js';
import type { DType } from '../table.js';
import { numpyScalar } from './numpy.js';
import {
  isStorage,
  isTensor,
  PyDict,
  PyGlobal,
  PyList,
  PyObject,
  PySet,
  PyTuple,
  type StorageRef,
  type TensorRef,
  type Value,
} from './values.js';

/** Name and position of a call in a pickle. */
export interface Call {
  name: string;
  where: Where;
}

type Construct = (args: readonly Value[], call: Call) => Value;

/** Returns the constructor that replaces a call, if the name is one of the few that only create data. */
export const constructorOf = (name: string): Construct | undefined => CONSTRUCTORS.get(name);

const STORAGES = new Map<string, DType>([
  ['torch.DoubleStorage', 'F64'],
  ['torch.FloatStorage', 'F32'],
  ['torch.HalfStorage', 'F16'],
  ['torch.BFloat16Storage', 'BF16'],
  ['torch.LongStorage', 'I64'],
  ['torch.IntStorage', 'I32'],
  ['torch.ShortStorage', 'I16'],
  ['torch.CharStorage', 'I8'],
  ['torch.ByteStorage', 'U8'],
  ['torch.BoolStorage', 'BOOL'],
]);

const DTYPES = new Map<string, DType>([
  ['torch.float64', 'F64'],
  ['torch.float32', 'F32'],
  ['torch.float16', 'F16'],
  ['torch.bfloat16', 'BF16'],
  ['torch.int64', 'I64'],
  ['torch.int32', 'I32'],
  ['torch.int16', 'I16'],
  ['torch.int8', 'I8'],
  ['torch.uint8', 'U8'],
  ['torch.bool', 'BOOL'],
]);

const isLength = (value: Value | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/**
 * Storage of a persistent id of torch.save: `('storage', type, key, location, length[, view])`.
 */
export function storageOf(id: Value, where: Where): StorageRef {
  const [tag, type, key, , length, view] = id instanceof PyTuple ? id.items : [];
  if (tag !== 'storage' || !(type instanceof PyGlobal) || typeof key !== 'string' || !isLength(length)) {
    throw damaged(where, 'a persistent id does not name a storage');
  }
  const untyped = type.name === 'torch.storage.UntypedStorage';
  const dtype = STORAGES.get(type.name);
  if (!untyped && !dtype) throw refused(where, `storages of type ${type.name} are not supported`);
  return {
    kind: 'storage',
    key,
    dtype,
    length,
    position: where.position ?? 0,
    view: view instanceof PyTuple ? viewOf(view, where) : undefined,
  };
}

function viewOf({ items: [, start, length] }: PyTuple, where: Where): StorageRef['view'] {
  if (!isLength(start) || !isLength(length)) throw damaged(where, 'a view of a storage has no range');
  return { start, length };
}

function lengths(value: Value | undefined, what: string, { name, where }: Call): number[] {
  if (!(value instanceof PyTuple || value instanceof PyList)) throw damaged(where, `${name} has no ${what}`);
  if (value.items.length > MAX_RANK) throw damaged(where, `${name} has a ${what} of ${value.items.length}`);
  for (const item of value.items) {
    if (!isLength(item)) throw damaged(where, `${name} has a ${what} of ${describeNumber(item)}`);
  }
  return value.items.slice() as number[];
}

const describeNumber = (value: Value): string =>
  typeof value === 'number' ? String(value) : typeof value === 'bigint' ? 'many digits' : 'no number';

function rebuildTensor(args: readonly Value[], call: Call, dtype?: DType): TensorRef {
  const [storage, offset, shapeValue, stridesValue] = args;
  const { name, where } = call;
  if (!isStorage(storage)) throw damaged(where, `${name} has no storage`);
  if (!isLength(offset)) throw damaged(where, `${name} has no offset`);
  const shape = lengths(shapeValue, 'size', call);
  const strides = lengths(stridesValue, 'stride', call);
  const type = dtype ?? storage.dtype;
  if (!type) throw damaged(where, `${name} has a storage without a type`);
  elementCount(shape, where);
  return { kind: 'tensor', storage, dtype: type, offset, shape, strides, position: where.position ?? 0 };
}

/** `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata)` */
function rebuildTensorV3(args: readonly Value[], call: Call): TensorRef {
  const type = args[6];
  if (!(type instanceof PyGlobal)) throw damaged(call.where, `${call.name} has no type`);
  const dtype = DTYPES.get(type.name);
  if (!dtype) throw refused(call.where, `tensors of type ${type.name} are not supported`);
  return rebuildTensor(args, call, dtype);
}

/** Returns the tensor of a parameter: `_rebuild_parameter(data, requires_grad, hooks)`. */
function rebuildParameter([data]: readonly Value[], { name, where }: Call): Value {
  if (!isTensor(data)) throw damaged(where, `${name} has no tensor`);
  return data;
}

/** Returns the result of `_rebuild_from_type_v2(function, class, args, state)` as a plain tensor. */
function rebuildFromType([rebuild, , args]: readonly Value[], { name, where }: Call): Value {
  const inner = rebuild instanceof PyGlobal ? TENSORS.get(rebuild.name) : undefined;
  if (!inner || !(rebuild instanceof PyGlobal) || !(args instanceof PyTuple)) {
    throw refused(where, `${name} calls ${rebuild instanceof PyGlobal ? rebuild.name : 'no function'}`);
  }
  return inner(args.items, { name: rebuild.name, where });
}

function dict([pairs]: readonly Value[], { name, where }: Call): PyDict {
  const made = new PyDict();
  if (pairs === undefined) return made;
  if (pairs instanceof PyDict) {
    for (const [key, value] of pairs.entries()) made.set(key, value);
    return made;
  }
  if (!(pairs instanceof PyList || pairs instanceof PyTuple))
    throw damaged(where, `the argument of ${name} is not a list`);
  for (const pair of pairs.items) {
    const [key, value] = pair instanceof PyTuple || pair instanceof PyList ? pair.items : [];
    if (key === undefined || value === undefined)
      throw damaged(where, `the argument of ${name} is not a list of pairs`);
    made.set(key, value);
  }
  return made;
}

const itemsOf = (value: Value | undefined, { name, where }: Call): readonly Value[] => {
  if (value === undefined) return [];
  if (value instanceof PyList || value instanceof PyTuple || value instanceof PySet) return value.items;
  throw damaged(where, `the argument of ${name} is not a list`);
};

const set: Construct = ([values], call) => {
  const made = new PySet();
  for (const value of itemsOf(values, call)) made.items.push(value);
  return made;
};

const list: Construct = ([values], call) => {
  const made = new PyList();
  for (const value of itemsOf(values, call)) made.items.push(value);
  return made;
};

const tuple: Construct = ([values], call) => new PyTuple(itemsOf(values, call).slice());

/** Python 3 writes bytes with protocol 2 as an encoded text. */
const encode: Construct = ([text, encoding], { name, where }) => {
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== undefined)) {
    throw damaged(where, `the argument of ${name} is not a latin1 text`);
  }
  return Buffer.from(text, 'latin1');
};

/** Records the call itself: its name and arguments. */
const record: Construct = (args, { name }) => new PyObject(name, new PyTuple(args));

const TENSORS = new Map<string, Construct>([
  ['torch._utils._rebuild_tensor', (args, call) => rebuildTensor(args, call)],
  ['torch._utils._rebuild_tensor_v2', (args, call) => rebuildTensor(args, call)],
  ['torch._utils._rebuild_tensor_v3', rebuildTensorV3],
  ['torch._utils._rebuild_parameter', rebuildParameter],
  ['torch._utils._rebuild_parameter_with_state', rebuildParameter],
]);

const CONSTRUCTORS = new Map<string, Construct>([
  ...TENSORS,
  ['torch._tensor._rebuild_from_type_v2', rebuildFromType],
  ['torch.Size', tuple],
  ['torch.device', record],
  ['torch.serialization._get_layout', record],
  ['collections.OrderedDict', dict],
  ['collections.Counter', dict],
  // The first argument creates missing values, which are never needed here.
  ['collections.defaultdict', (args, call) => dict(args.slice(1), call)],
  ['collections.deque', list],
  ['builtins.dict', dict],
  ['builtins.set', set],
  ['builtins.frozenset', set],
  ['builtins.list', list],
  ['builtins.tuple', tuple],
  ['builtins.slice', record],
  ['builtins.complex', record],
  ['builtins.bytes', (args) => (args.length === 0 ? Buffer.alloc(0) : (args[0] as Value))],
  ['argparse.Namespace', record],
  // The list of fastcore, in the optimizer's state that fastai saves beside a network.
  ['fastcore.foundation.L', record],
  ['_codecs.encode', encode],
  ['numpy.dtype', record],
  ['numpy.core.multiarray.scalar', numpyScalar],
  ['numpy._core.multiarray.scalar', numpyScalar],
  ['numpy.core.multiarray._reconstruct', record],
  ['numpy._core.multiarray._reconstruct', record],
]);
