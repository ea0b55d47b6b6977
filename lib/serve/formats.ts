// Formats of results in responses: those of the command line, and the report.
import { basename, extname } from 'node:path';
import Negotiator from 'negotiator';
import {
  type ImageFormatContext,
  RESULT_FORMAT_NAMES,
  RESULT_FORMATS,
  type ResultFormatName,
  resultFormat,
} from '../export/formats.js';
import type { RoutedSegmentation } from '../inference/result.js';
import { Report } from '../report/report.js';
import { HttpProblem } from './problem.js';

/** A format of a result: a name of {@link RESULT_FORMATS}, or `report`. */
export type AnswerFormat = ResultFormatName | 'report';

export const ANSWER_FORMATS: readonly AnswerFormat[] = [...RESULT_FORMAT_NAMES, 'report'];

/** The format that Accept selects for a media type with several formats. */
const PREFERRED: Readonly<Record<string, AnswerFormat>> = { 'image/png': 'overlay' };

const REPORT_TYPE = 'text/html';

export const mediaTypeOf = (format: AnswerFormat): string =>
  format === 'report' ? REPORT_TYPE : RESULT_FORMATS[format].mediaType;

/** File name extension of a format. */
export const extensionOf = (format: AnswerFormat): string =>
  format === 'report' ? '.html' : RESULT_FORMATS[format].extension;

const descriptionOf = (format: AnswerFormat): string =>
  format === 'report' ? 'page with outlines and the table of cells' : RESULT_FORMATS[format].description;

/** Whether {@link writeAnswer} needs the pixels. */
export const needsImage = (format: AnswerFormat): boolean =>
  format === 'report' || RESULT_FORMATS[format].needsImage;

/** The format that Accept selects per media type. JSON is first, so that a wildcard selects it. */
const BY_TYPE = new Map<string, AnswerFormat>();
for (const format of ANSWER_FORMATS) {
  const type = mediaTypeOf(format);
  if (!BY_TYPE.has(type)) BY_TYPE.set(type, PREFERRED[type] ?? format);
}

/** Media types with their formats, for the OpenAPI document. */
export const ANSWER_TYPES: readonly { type: string; description: string }[] = Array.from(
  BY_TYPE.keys(),
  (type) => ({
    type,
    description: ANSWER_FORMATS.filter((format) => mediaTypeOf(format) === type)
      .map((format) => `${format}: ${descriptionOf(format)}`)
      .join('; '),
  }),
);

/**
 * Chooses the format of a response: that of the query, otherwise the one that Accept prefers.
 *
 * @throws {HttpProblem} NOT_ACCEPTABLE
 */
export function chooseFormat(named: string | undefined, accept: string | undefined): AnswerFormat {
  if (named !== undefined) return named as AnswerFormat;
  if (accept === undefined) return 'json';
  const types = [...BY_TYPE.keys()];
  const [type] = new Negotiator({ headers: { accept } }).mediaTypes(types);
  const format = type === undefined ? undefined : BY_TYPE.get(type);
  if (format) return format;
  throw new HttpProblem(
    'NOT_ACCEPTABLE',
    `Expected an Accept header with one of ${types.join(', ')}, or the query format=${ANSWER_FORMATS.join('|')}.`,
  );
}

/**
 * Writes a result in a format as a stream.
 *
 * @param context has `image` if {@link needsImage} is true.
 */
export async function* writeAnswer(
  format: AnswerFormat,
  result: RoutedSegmentation,
  context: ImageFormatContext & { signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, image } = context;
  const name = result.name ?? 'image';
  if (format === 'report') {
    const report = new Report({ title: `Cells in ${name}` });
    await report.add(name, image!, result, { signal });
    yield Buffer.from(report.html());
    return;
  }
  const writer = resultFormat(format);
  if (writer.scope === 'image') {
    yield* writer.write(result, { ...context, ...(result.name !== undefined && { name }) });
  } else {
    const stem = basename(name, extname(name)) || name;
    yield* writer.write([{ name, stem, result }], { signal });
  }
}
