import { damaged, type Where } from '../errors.js';
import type { ByteCursor } from './cursor.js';
import { Op } from './opcodes.js';
import {
  floatFromText,
  longFromBytes,
  longFromText,
  textFromQuoted,
  textFromRawUnicodeEscape,
  textFromUtf8,
} from './scalars.js';
import type { Value } from './values.js';

/**
 * Reads the value of an opcode with an inline argument: numbers, texts, bytes. Returns undefined for all other opcodes.
 * `position` is the position of the opcode.
 */
export function readLiteral(op: number, cursor: ByteCursor, position: number): Value | undefined {
  const where = cursor.where(position);
  switch (op) {
    case Op.NONE:
      return null;
    case Op.NEWTRUE:
      return true;
    case Op.NEWFALSE:
      return false;
    case Op.INT:
      return integerOrBoolean(cursor.line(), where);
    case Op.BININT:
      return cursor.i32();
    case Op.BININT1:
      return cursor.u8();
    case Op.BININT2:
      return cursor.u16();
    case Op.LONG:
      return longFromText(cursor.line(), where);
    case Op.LONG1:
      return longFromBytes(cursor.take(cursor.u8()), where);
    case Op.LONG4:
      return longFromBytes(cursor.take(length(cursor.i32(), where)), where);
    case Op.FLOAT:
      return floatFromText(cursor.line(), where);
    case Op.BINFLOAT:
      return cursor.f64be();
    case Op.STRING:
      return textFromQuoted(cursor.line(), where);
    case Op.BINSTRING:
      return cursor.take(length(cursor.i32(), where)).toString('latin1');
    case Op.SHORT_BINSTRING:
      return cursor.take(cursor.u8()).toString('latin1');
    case Op.UNICODE:
      return textFromRawUnicodeEscape(cursor.line(), where);
    case Op.SHORT_BINUNICODE:
      return textFromUtf8(cursor.take(cursor.u8()), where);
    case Op.BINUNICODE:
      return textFromUtf8(cursor.take(cursor.u32()), where);
    case Op.BINUNICODE8:
      return textFromUtf8(cursor.take(cursor.u64()), where);
    case Op.SHORT_BINBYTES:
      return cursor.take(cursor.u8());
    case Op.BINBYTES:
      return cursor.take(cursor.u32());
    case Op.BINBYTES8:
    case Op.BYTEARRAY8:
      return cursor.take(cursor.u64());
    default:
      return undefined;
  }
}

/** Protocols 0 and 1 write booleans as the integers 00 and 01. */
function integerOrBoolean(line: Buffer, where: Where): Value {
  const text = line.toString('latin1');
  return text === '00' ? false : text === '01' ? true : longFromText(line, where);
}

function length(signed: number, where: Where): number {
  if (signed < 0) throw damaged(where, `a pickle has a length of ${signed}`);
  return signed;
}
