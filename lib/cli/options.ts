import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CellrouteError } from '../errors.js';
import { checkDevice, type Device } from '../inference/device.js';
import { starterFolder } from '../inference/ensemble-file.js';
import { parseTiles } from '../inference/option-text.js';
import type { LoadSegmenterOptions } from '../inference/segmenter.js';
import type { Tiles } from '../inference/tiles.js';

/** Parser of a number within an inclusive range. */
export function numberIn(min: number, max: number, { integer = false } = {}) {
  return (text: string): number => {
    const value = Number(text);
    if (
      text.trim() === '' ||
      !Number.isFinite(value) ||
      value < min ||
      value > max ||
      (integer && !Number.isInteger(value))
    ) {
      throw new InvalidArgumentError(
        `Expected ${integer ? 'an integer' : 'a number'} from ${min} to ${max}.`,
      );
    }
    return value;
  };
}

/** Parser of a comma-separated list of allowed words. */
export function wordsOf<T extends string>(allowed: readonly T[]) {
  return (text: string): T[] =>
    text.split(',').map((word) => {
      const found = allowed.find((candidate) => candidate === word.trim());
      if (!found) throw new InvalidArgumentError(`Expected a comma-separated list of ${allowed.join(', ')}.`);
      return found;
    });
}

/** Parser of a repeatable `column=value`. */
export function columnIs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected column=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Parser of the path of an output file with one format, which its extension must name. */
export function fileWith(...extensions: readonly string[]) {
  return (path: string): string => {
    if (extensions.includes(extname(path).toLowerCase())) return path;
    throw new InvalidArgumentError(`Expected a file name that ends with ${extensions.join(' or ')}.`);
  };
}

/** Parser of `auto`, `off`, `SIZE` or `SIZE,OVERLAP`, in pixels. */
export function tilesOf(text: string): Tiles {
  try {
    return parseTiles('--tiles', text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

const STARTER = 'the starter ensemble';

/** The option of every command that segments. @param purpose put before the forms of a model, instead of a default. */
export function modelOption(purpose?: string): Option {
  const forms = 'ensemble folder, folder of a train or finetune run, segmenter file, or `starter`';
  return new Option(
    '-m, --model <path>',
    purpose === undefined ? `${forms} (default: ${STARTER})` : `${purpose}${forms}`,
  ).argParser(modelPath);
}

/** `starter` is the starter ensemble, unless there is a file of that name. */
export const modelPath = (path: string): string =>
  path === 'starter' && !existsSync(path) ? starterFolder : path;

/** The option of every command that loads a classifier alone. */
export const classifierOption = (): Option =>
  new Option(
    '-m, --model <path>',
    'ensemble folder, folder of a train run, or classifier file (safetensors, torch, fastai .pkl)',
  ).default(starterFolder, STARTER);

/** The error where a command needs an option or an argument that was not given. */
export const missing = (option: string, expected: string): CellrouteError =>
  new CellrouteError('INVALID_ARGUMENT', `Expected ${expected} (${option})`, { option, expected });

/** Options added by {@link withForce}. */
export interface ForceFlag {
  force?: boolean | undefined;
}

/** Adds the option of all commands that write several files. */
export const withForce = (command: Command): Command =>
  command.option('--force', 'overwrite files that cellroute did not write, or that were changed since');

/** Options added by {@link withPrecision}. */
export interface PrecisionFlag {
  precision: NonNullable<LoadSegmenterOptions['precision']>;
  device: Device;
}

/** Adds the options of every command that loads segmenters. */
export function withPrecision(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--precision <type>',
        'arithmetic of the segmenters; auto: float16 on a GPU, bfloat16 if the CPU supports it',
      )
        .choices(['float32', 'bfloat16', 'int8', 'float16', 'tf32', 'auto'])
        .default('float32'),
    )
    .addOption(
      new Option('--device <name>', 'device of the networks: cpu, cuda, cuda:1 or auto')
        .argParser((value) => checkDevice('--device', value))
        .default('cpu'),
    );
}
