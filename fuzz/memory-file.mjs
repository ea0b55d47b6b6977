// A file in memory, at a path that need not exist: readers do not wait for a disk or for threads.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, sep } from 'node:path';
import { Readable } from 'node:stream';

/** What the readers ask of a file or a folder. */
const stats = (kind, size = 0) => ({
  size,
  mtimeMs: 0,
  isFile: () => kind === 'file',
  isDirectory: () => kind === 'folder',
  isSymbolicLink: () => false,
});

const entry = (name) => ({ ...stats('file'), name });

function missing(path) {
  return Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), {
    code: 'ENOENT',
    path,
  });
}

/**
 * Replaces the functions of node:fs that readers use for every path in the folder of `file`, which then holds this file
 * alone. Returns a function that sets its bytes.
 */
export function memoryFile(file) {
  const folder = dirname(file);
  let bytes = Buffer.alloc(0);

  const handle = {
    stat: async () => stats('file', bytes.length),
    read: async (buffer, offset, length, position) => {
      const bytesRead = bytes.copy(buffer, offset, position, Math.min(bytes.length, position + length));
      return { buffer, bytesRead };
    },
    close: async () => {},
  };
  const own = {
    stat: async () => stats('file', bytes.length),
    lstat: async () => stats('file', bytes.length),
    open: async () => handle,
    readFile: async (_, options) => {
      const encoding = typeof options === 'string' ? options : options?.encoding;
      return encoding ? bytes.toString(encoding) : Buffer.from(bytes);
    },
    readdir: async () => {
      throw Object.assign(new Error(`ENOTDIR: not a directory, scandir '${file}'`), { code: 'ENOTDIR' });
    },
  };
  const ofFolder = {
    stat: async () => stats('folder'),
    lstat: async () => stats('folder'),
    readdir: async (_, options) => (options?.withFileTypes ? [entry(basename(file))] : [basename(file)]),
  };
  for (const name of Object.keys(own)) {
    const real = fs.promises[name];
    fs.promises[name] = async (path, ...rest) => {
      if (path === file) return own[name](path, ...rest);
      if (path === folder && ofFolder[name]) return ofFolder[name](path, ...rest);
      if (String(path).startsWith(folder + sep)) throw missing(path);
      return real(path, ...rest);
    };
  }
  const { createReadStream } = fs;
  fs.createReadStream = (path, ...rest) =>
    path === file ? Readable.from(bytes.length > 0 ? [bytes] : []) : createReadStream(path, ...rest);
  // For modules that have imported the functions by name.
  syncBuiltinESMExports();
  return (content) => {
    bytes = content;
  };
}
