import { contiguousStrides } from '../layout.js';
import type { DType } from '../table.js';
import { Op } from './opcodes.js';

const STORAGE_NAMES: Readonly<Record<DType, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  I32: 'IntStorage',
  I16: 'ShortStorage',
  I8: 'CharStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
};

export interface PickledTensor {
  name: string;
  dtype: DType;
  shape: readonly number[];
}

/**
 * Pickles a state dict as torch.save does (protocol 2): an OrderedDict of
 * `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`, tensor i in storage i.
 */
export function pickleStateDict(tensors: readonly PickledTensor[]): Buffer {
  const parts: Buffer[] = [];
  const op = (...bytes: number[]) => parts.push(Buffer.from(bytes));
  const global = (module: string, name: string) => parts.push(Buffer.from(`c${module}\n${name}\n`));
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    const head = Buffer.from([Op.BINUNICODE, 0, 0, 0, 0]);
    head.writeUInt32LE(bytes.length, 1);
    parts.push(head, bytes);
  };
  const emptyOrderedDict = () => {
    global('collections', 'OrderedDict');
    op(Op.EMPTY_TUPLE, Op.REDUCE);
  };
  const integers = (values: readonly number[]) => {
    op(Op.MARK);
    for (const value of values) parts.push(integer(value));
    op(Op.TUPLE);
  };

  op(Op.PROTO, 2);
  emptyOrderedDict();
  op(Op.MARK);
  for (const [i, { name, dtype, shape }] of tensors.entries()) {
    text(name);
    global('torch._utils', '_rebuild_tensor_v2');
    op(Op.MARK);
    op(Op.MARK);
    text('storage');
    global('torch', STORAGE_NAMES[dtype]);
    text(String(i));
    text('cpu');
    parts.push(integer(shape.reduce((product, length) => product * length, 1)));
    op(Op.TUPLE, Op.BINPERSID);
    parts.push(integer(0));
    integers(shape);
    integers(contiguousStrides(shape));
    op(Op.NEWFALSE);
    emptyOrderedDict();
    op(Op.TUPLE, Op.REDUCE);
  }
  op(Op.SETITEMS, Op.STOP);
  return Buffer.concat(parts);
}

/** Pickles an integer from 0 to 2^53 - 1. */
function integer(value: number): Buffer {
  if (value < 0x100) return Buffer.from([Op.BININT1, value]);
  if (value < 0x80000000) {
    const bytes = Buffer.from([Op.BININT, 0, 0, 0, 0]);
    bytes.writeInt32LE(value, 1);
    return bytes;
  }
  const bytes = Buffer.alloc(10);
  bytes.set([Op.LONG1, 8]);
  bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes;
}
