import { EndOfBytes, type Where } from '../errors.js';

/** Reads a pickle's bytes in order; every read is checked against what is there. */
export class ByteCursor {
  private next = 0;

  /** `base` is the byte of the file that `bytes` starts at, so that errors name a place in the file. */
  constructor(
    private readonly bytes: Buffer,
    private readonly file: string,
    private readonly base: number,
  ) {}

  /** Byte in the file of what is read next. */
  get position(): number {
    return this.base + this.next;
  }

  where(position = this.position): Where {
    return { file: this.file, position };
  }

  take(length: number): Buffer {
    const start = this.next;
    if (length > this.bytes.length - start) {
      throw new EndOfBytes(
        this.where(),
        `a pickle wants ${length} bytes here but only ${this.bytes.length - start} are left`,
      );
    }
    this.next = start + length;
    return this.bytes.subarray(start, this.next);
  }

  /** Checks that `length` bytes are left without reading them. */
  expect(length: number): void {
    const start = this.next;
    this.take(length);
    this.next = start;
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u16(): number {
    return this.take(2).readUInt16LE();
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  i32(): number {
    return this.take(4).readInt32LE();
  }

  f64be(): number {
    return this.take(8).readDoubleBE();
  }

  /** A 64-bit length. One too long for a double is longer than any file, exact or not. */
  u64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  /** The rest of the line, without its end. */
  line(): Buffer {
    const end = this.bytes.indexOf(0x0a, this.next);
    if (end < 0) throw new EndOfBytes(this.where(), 'a pickle has a line that does not end');
    const line = this.bytes.subarray(this.next, end);
    this.next = end + 1;
    return line;
  }
}
