import { damaged, type Where } from '../errors.js';
import { PyObject, PyTuple, type Value } from './values.js';

const READERS: Readonly<
  Record<string, { bytes: number; read: (data: Buffer) => number | bigint | boolean }>
> = {
  f8: { bytes: 8, read: (data) => data.readDoubleLE() },
  f4: { bytes: 4, read: (data) => data.readFloatLE() },
  i8: { bytes: 8, read: (data) => data.readBigInt64LE() },
  i4: { bytes: 4, read: (data) => data.readInt32LE() },
  i2: { bytes: 2, read: (data) => data.readInt16LE() },
  i1: { bytes: 1, read: (data) => data.readInt8() },
  u1: { bytes: 1, read: (data) => data.readUInt8() },
  b1: { bytes: 1, read: (data) => data.readUInt8() !== 0 },
};

/** `numpy.core.multiarray.scalar(dtype, bytes)` as a number; as a PyObject for other types. */
export function numpyScalar(args: readonly Value[], { name, where }: { name: string; where: Where }): Value {
  const [dtype, data] = args;
  const code = dtype instanceof PyObject && dtype.args instanceof PyTuple ? dtype.args.items[0] : undefined;
  const reader = typeof code === 'string' && Object.hasOwn(READERS, code) ? READERS[code] : undefined;
  const order = dtype instanceof PyObject && dtype.state instanceof PyTuple ? dtype.state.items[1] : '<';
  if (!reader || order === '>' || !(data instanceof Uint8Array)) {
    return new PyObject(name, new PyTuple(args));
  }
  if (data.byteLength !== reader.bytes) throw damaged(where, `${name} has ${data.byteLength} bytes`);
  const value = reader.read(Buffer.from(data));
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
