// Reads which symbols a library of macOS imports and from where. Linux's binutils do not read Mach-O files.
import { readFileSync } from 'node:fs';

const MAGIC_64 = 0xfeedfacf;
const LC_SYMTAB = 2;
/** LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB and LC_REEXPORT_DYLIB: entries of the list to which symbols refer. */
const LOADS = new Set([0xc, 0x80000018, 0x8000001f]);
const DYNAMIC_LOOKUP = 0xfe;
const HEADER_BYTES = 32;
const SYMBOL_BYTES = 16;

/** The text at an offset, up to its zero byte. */
const textAt = (bytes, offset) => bytes.toString('utf8', offset, bytes.indexOf(0, offset));

/**
 * Symbols that a 64-bit Mach-O file imports: [{name, library}]. `library` is undefined for a symbol that is searched in all
 * loaded libraries at run time (`-undefined dynamic_lookup`).
 *
 * @throws if the file is not such a file.
 */
export function importedSymbols(path) {
  const bytes = readFileSync(path);
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC_64)
    throw new Error(`${path} is not a 64-bit Mach-O file`);
  const libraries = [];
  let table;
  for (let i = 0, at = HEADER_BYTES; i < bytes.readUInt32LE(16); i++) {
    const [command, size] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    if (LOADS.has(command)) libraries.push(textAt(bytes, at + bytes.readUInt32LE(at + 8)));
    if (command === LC_SYMTAB)
      table = {
        symbols: bytes.readUInt32LE(at + 8),
        count: bytes.readUInt32LE(at + 12),
        names: bytes.readUInt32LE(at + 16),
      };
    at += size;
  }
  if (!table) throw new Error(`${path} has no symbol table`);
  const imported = [];
  for (let i = 0; i < table.count; i++) {
    const at = table.symbols + i * SYMBOL_BYTES;
    const type = bytes.readUInt8(at + 4);
    // Debugging entries have one of the upper bits, definitions one of the middle ones; the lowest bit is "external".
    if ((type & 0xef) !== 1) continue;
    const ordinal = bytes.readUInt16LE(at + 6) >> 8;
    imported.push({
      name: textAt(bytes, table.names + bytes.readUInt32LE(at)),
      library: ordinal === DYNAMIC_LOOKUP ? undefined : libraries[ordinal - 1],
    });
  }
  return imported;
}
