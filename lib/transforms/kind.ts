import { integer, object, type Read, type Reader, required } from '../config/schema.js';
import type { Random } from '../data/random.js';
import type { Draft } from './draft.js';

/** Maximum side of a sample, in pixels. */
export const LONGEST_SIDE = 16_384;

/** A kind of transform: the reader of its JSON, with defaults and checks, and its effect on a sample. */
export interface Kind<Spec> {
  read: Reader<Spec>;
  apply(spec: Spec, draft: Draft, random: Random): Draft;
}

export const kind = <S extends Record<string, Reader<unknown>>>(
  shape: S,
  apply: Kind<{ [K in keyof S]: Read<S[K]> }>['apply'],
): Kind<{ [K in keyof S]: Read<S[K]> }> => ({ read: object(shape), apply });

/** A required width or height. */
export const side = required(integer(1, 1, LONGEST_SIDE));
