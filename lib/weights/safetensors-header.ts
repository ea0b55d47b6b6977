import { damaged } from './errors.js';
import { MAX_RANK } from './layout.js';

export interface HeaderTensor {
  name: string;
  dtype: string;
  shape: number[];
  /** First byte, relative to the end of the header. */
  begin: number;
  end: number;
  /** Position of the entry in the file. */
  position: number;
}

export interface SafetensorsHeader {
  tensors: HeaderTensor[];
  metadata: Record<string, string>;
}

const HEADER_START = 8;
const MAX_TENSORS = 1_000_000;
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Parses the JSON of the header. JSON.parse is not used, because it silently keeps the last of two equal keys, and builds
 * deeply nested values of a malicious header before they can be checked.
 */
export function parseSafetensorsHeader(bytes: Buffer, file: string): SafetensorsHeader {
  return new HeaderParser(bytes, file).parse();
}

class HeaderParser {
  private next = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly file: string,
  ) {}

  parse(): SafetensorsHeader {
    const tensors: HeaderTensor[] = [];
    const metadata: Record<string, string> = {};
    if (this.bytes[0] !== 0x7b) throw this.damaged('it does not start with {');
    this.object((name, position) => {
      if (name === '__metadata__') {
        this.object((key) => setText(metadata, key, this.string()));
        return;
      }
      if (tensors.length >= MAX_TENSORS) throw this.damaged(`it has more than ${MAX_TENSORS} tensors`);
      tensors.push(this.tensor(name, position));
    });
    this.skipSpace();
    if (this.next !== this.bytes.length) throw this.damaged('it continues after its last brace');
    return { tensors, metadata };
  }

  private tensor(name: string, position: number): HeaderTensor {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.object((key) => {
      if (key === 'dtype') dtype = this.string();
      else if (key === 'shape') shape = this.integers(MAX_RANK);
      else if (key === 'data_offsets') offsets = this.integers(2);
      else throw this.damaged(`tensor ${name} has an unknown field ${key}`);
    });
    const [begin, end] = offsets ?? [];
    if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
      throw this.damaged(`tensor ${name} has no dtype, shape or data_offsets`);
    }
    return { name, dtype, shape, begin, end, position };
  }

  private object(member: (key: string, position: number) => void): void {
    const seen = new Set<string>();
    this.expect('{');
    if (this.accept('}')) return;
    do {
      this.skipSpace();
      const position = HEADER_START + this.next;
      const key = this.string();
      if (seen.has(key)) throw this.damaged(`the key ${JSON.stringify(key)} occurs twice`);
      seen.add(key);
      this.expect(':');
      member(key, position);
    } while (this.accept(','));
    this.expect('}');
  }

  private integers(maxLength: number): number[] {
    const values: number[] = [];
    this.expect('[');
    if (this.accept(']')) return values;
    do {
      if (values.length === maxLength) throw this.damaged(`a list has more than ${maxLength} numbers`);
      values.push(this.integer());
    } while (this.accept(','));
    this.expect(']');
    return values;
  }

  private integer(): number {
    this.skipSpace();
    const start = this.next;
    while (isDigit(this.bytes[this.next])) this.next++;
    const length = this.next - start;
    // 16 digits exceed the safe integers, which the check below refuses.
    const value =
      length >= 1 && length <= 16 ? Number(this.bytes.toString('latin1', start, this.next)) : Number.NaN;
    const zeroFirst = length > 1 && this.bytes[start] === 0x30;
    if (zeroFirst || !Number.isSafeInteger(value)) throw this.damaged('expected an integer below 2^53');
    return value;
  }

  private string(): string {
    this.skipSpace();
    const start = this.next;
    if (this.bytes[start] !== QUOTE) throw this.damaged('expected a string');
    let end = start + 1;
    while (end < this.bytes.length && this.bytes[end] !== QUOTE) end += this.bytes[end] === BACKSLASH ? 2 : 1;
    if (end >= this.bytes.length) throw this.damaged('a string has no end');
    this.next = end + 1;
    try {
      return JSON.parse(utf8.decode(this.bytes.subarray(start, this.next))) as string;
    } catch {
      throw this.damaged('a string is not valid JSON in UTF-8');
    }
  }

  private skipSpace(): void {
    while (SPACE.has(this.bytes[this.next]!)) this.next++;
  }

  private accept(character: string): boolean {
    this.skipSpace();
    if (this.bytes[this.next] !== character.charCodeAt(0)) return false;
    this.next++;
    return true;
  }

  private expect(character: string): void {
    if (!this.accept(character)) throw this.damaged(`expected ${character}`);
  }

  private damaged(what: string) {
    return damaged({ file: this.file, position: HEADER_START + this.next }, `invalid header: ${what}`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** Sets a key of any name, including `__proto__`. */
function setText(target: Record<string, string>, key: string, value: string): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}
