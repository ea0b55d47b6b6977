import { EndOfBytes, type Where } from '../errors.js';

/** Reads the bytes of a pickle in order, and checks each read against the available bytes. */
export class ByteCursor {
  private next = 0;

  /** `base` is the position of `bytes` in the file, so that errors name a position in the file. */
  constructor(
    private readonly bytes: Buffer,
    private readonly file: string,
    private readonly base: number,
  ) {}

  /** Position in the file of the next byte. */
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
        `a pickle needs ${length} bytes here, but only ${this.bytes.length - start} are left`,
      );
    }
    this.next = start + length;
    return this.bytes.subarray(start, this.next);
  }

  /** Checks that `length` bytes are available, without reading them. */
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

  /** A 64-bit length. A length that a double cannot represent exactly is longer than any file. */
  u64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  /** The rest of the line, without the line break. */
  line(): Buffer {
    const end = this.bytes.indexOf(0x0a, this.next);
    if (end < 0) throw new EndOfBytes(this.where(), 'a line in a pickle has no end');
    const line = this.bytes.subarray(this.next, end);
    this.next = end + 1;
    return line;
  }
}
