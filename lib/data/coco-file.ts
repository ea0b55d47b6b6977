import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { JSONParser } from '@streamparser/json-node';
import { CellrouteError } from '../errors.js';
import { dataInvalid } from './problems.js';

/** What lists of a COCO file are read. */
export type CocoList = 'images' | 'categories' | 'annotations';

/** An entry of a list, whatever it is, and where: `annotations[3]`. */
export interface CocoEntry {
  list: CocoList;
  place: string;
  value: unknown;
}

/** The entries of a file in their order; one at a time is in memory, so a file may be larger than a string can be. */
export async function* cocoEntries(path: string, signal: AbortSignal | undefined): AsyncGenerator<CocoEntry> {
  const parser = new JSONParser({
    paths: ['$.images.*', '$.categories.*', '$.annotations.*'],
    keepStack: false,
  });
  pipeline(createReadStream(path), parser, () => {});
  try {
    for await (const { key, value, stack } of parser) {
      signal?.throwIfAborted();
      const list = stack.at(-1)?.key as CocoList;
      yield { list, place: `${list}[${key}]`, value };
    }
  } catch (error) {
    signal?.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    // The file system's errors have codes, the parser's have none.
    if (error instanceof CellrouteError) throw error;
    if (code === undefined) throw dataInvalid(path, `it cannot be read as JSON: ${message}`);
    throw new CellrouteError('FILE_UNREADABLE', `${path}: ${message}`, { file: path }, { cause: error });
  } finally {
    parser.destroy();
  }
}
