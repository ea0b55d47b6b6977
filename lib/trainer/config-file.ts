import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { findNodeAtLocation, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { CellrouteError } from '../errors.js';
import { unreadable } from '../file-errors.js';

/** Value of a configuration file, with source positions for error messages. */
export interface ConfigFile {
  value: unknown;
  /** Passes the value to `read`. Errors thrown there get the file name and, if known, line and column. */
  read<T>(read: (value: unknown) => T): T;
}

/**
 * Reads a JSON file.
 *
 * @throws {CellrouteError} FILE_UNREADABLE; INVALID_CONFIG if it is not JSON, with line and column.
 */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const text = await readFile(file, 'utf8').catch(unreadable(file));
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  const [mistake] = errors;
  if (mistake || !tree) {
    const position = mistake?.offset ?? 0;
    const what = mistake ? words(printParseErrorCode(mistake.error)) : 'the file is empty';
    throw new CellrouteError('INVALID_CONFIG', `${file}, ${placeIn(text, position)}: not JSON, ${what}`, {
      file,
      position,
    });
  }
  const value = withAbsolutePaths(withoutSchema(JSON.parse(text)), dirname(resolve(file)));
  return {
    value,
    read: (read) => {
      try {
        return read(value);
      } catch (error) {
        if (!(error instanceof CellrouteError)) throw error;
        const node = error.details.option && findNodeAtLocation(tree, segments(error.details.option));
        const place = node ? `, ${placeIn(text, node.offset)}` : '';
        throw error.restated(`${file}${place}: ${error.message}`, {
          file,
          ...(node && { position: node.offset }),
        });
      }
    },
  };
}

/** The key by which an editor finds the JSON Schema is not part of the configuration. */
function withoutSchema(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { $schema: _, ...config } = value as Record<string, unknown>;
  return config;
}

/**
 * Paths in a configuration are relative to its file: the path of a `start`, which is the only one, at any depth.
 */
function withAbsolutePaths(value: unknown, folder: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const path = key === 'start' ? (inner as { path?: unknown } | null)?.path : undefined;
      const own = typeof path === 'string' ? { ...(inner as object), path: resolve(folder, path) } : inner;
      return [key, withAbsolutePaths(own, folder)];
    }),
  );
}

/** Converts `transforms[2].width` to a path of jsonc-parser. */
function segments(path: string): (string | number)[] {
  return [...path.matchAll(/[^.[\]]+/g)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part));
}

function placeIn(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}

/** Converts `CloseBraceExpected` to words. */
const words = (code: string): string => code.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
