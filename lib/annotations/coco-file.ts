import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { JSONParser } from '@streamparser/json-node';
import { CellrouteError } from '../errors.js';
import { unreadable } from '../file-errors.js';
import { dataInvalid } from './problems.js';
import { checkedUtf8, nullForNaN } from './text.js';

/** Lists of a COCO file that are read. */
export type CocoList = 'images' | 'categories' | 'annotations';

/** An entry of a list, not validated, and its path such as `annotations[3]`. */
export interface CocoEntry {
  list: CocoList;
  place: string;
  value: unknown;
}

/** Entries of a file in order. One entry is in memory at a time, so a file may be larger than a JavaScript string. */
export async function* cocoEntries(path: string, signal: AbortSignal | undefined): AsyncGenerator<CocoEntry> {
  const parser = new JSONParser({
    paths: ['$.images.*', '$.categories.*', '$.annotations.*'],
    keepStack: false,
  });
  pipeline(
    createReadStream(path),
    (bytes: AsyncIterable<Buffer>) => nullForNaN(checkedUtf8(path, bytes)),
    parser,
    () => {},
  );
  try {
    for await (const { key, value, stack } of parser) {
      signal?.throwIfAborted();
      const list = stack.at(-1)?.key as CocoList;
      yield { list, place: `${list}[${key}]`, value };
    }
  } catch (error) {
    signal?.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    // Errors of the file system have a code, those of the parser do not.
    if (error instanceof CellrouteError) throw error;
    if (code === undefined) throw dataInvalid(path, `it cannot be read as JSON: ${message}`);
    unreadable(path)(error);
  } finally {
    parser.destroy();
  }
}
