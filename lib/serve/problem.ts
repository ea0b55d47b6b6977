// Error responses: RFC 9457 problem details with a code.
import { CellrouteError, type ErrorCode } from '../errors.js';

/** Codes of error responses without a {@link CellrouteError}. */
const HTTP_PROBLEMS = {
  UNAUTHORIZED: [401, 'The bearer token is missing or wrong'],
  FORBIDDEN: [403, 'The request comes from another site'],
  NOT_FOUND: [404, 'There is no such resource'],
  METHOD_NOT_ALLOWED: [405, 'The resource does not have this method'],
  NOT_ACCEPTABLE: [406, 'The result has none of the accepted formats'],
  REQUEST_TIMEOUT: [408, 'The request took too long to arrive'],
  BODY_TOO_LARGE: [413, 'The request body is too large'],
  MEDIA_TYPE_UNSUPPORTED: [415, 'The request body has a type that is not read'],
  HEADERS_TOO_LARGE: [431, 'The request headers are too large'],
  BAD_REQUEST: [400, 'The request is malformed'],
  INTERNAL: [500, 'The service failed'],
  STARTING: [503, 'The service is starting'],
  DRAINING: [503, 'The service is shutting down'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

/** Status and title of the SDK's errors that a request can cause. All others become INTERNAL. */
const SDK_PROBLEMS: Partial<Record<ErrorCode, readonly [status: number, title: string]>> = {
  INVALID_ARGUMENT: [400, 'A value of the request is invalid'],
  IMAGE_TOO_LARGE: [413, 'The image is too large'],
  IMAGE_UNSUPPORTED: [415, 'The image has a format that is not read'],
  IMAGE_UNREADABLE: [422, 'The image cannot be read'],
  NO_SEGMENTER: [422, 'The ensemble has no segmenter for the type of the image'],
  BUSY: [429, 'The service is busy'],
  JOB_NOT_FOUND: [404, 'There is no such job'],
  JOB_CONFLICT: [422, 'The key belongs to another request'],
  JOB_UNFINISHED: [409, 'The job has not ended'],
  JOB_CANCELLED: [410, 'The job was cancelled'],
  TIMEOUT: [503, 'The work took too long'],
  DISPOSED: [503, 'The service is shutting down'],
  OUT_OF_MEMORY: [503, 'Memory is exhausted'],
};

/** A code of {@link Problem} that no CellrouteError has. */
export type HttpProblemCode = keyof typeof HTTP_PROBLEMS;

/** All codes with their statuses, for documentation. */
export const PROBLEM_STATUS: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries({ ...HTTP_PROBLEMS, ...SDK_PROBLEMS }).map(([code, [status]]) => [code, status]),
);

/** An error of HTTP and not of the SDK. */
export class HttpProblem extends Error {
  readonly code: HttpProblemCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: HttpProblemCode, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

/** Body of an error response (`application/problem+json`). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  /** The refused option, the expected value and the received value. */
  option?: string;
  expected?: string;
  got?: string;
}

/** An error response. */
export interface ProblemAnswer {
  problem: Problem;
  headers: Readonly<Record<string, string>>;
  /** Whether the service caused the error and should log it. */
  internal: boolean;
}

export const PROBLEM_TYPE = 'application/problem+json';

/**
 * Returns the response for an error. Messages of unexpected errors are not sent.
 *
 * @param retryAfter seconds after which a request refused with BUSY may be repeated.
 */
export function problemOf(error: unknown, retryAfter: number): ProblemAnswer {
  if (error instanceof HttpProblem) {
    const [status, title] = HTTP_PROBLEMS[error.code];
    const again = error.code === 'STARTING';
    return answer(error.code, status, title, error.message, {
      ...(again && retryHeader(retryAfter)),
      ...error.headers,
    });
  }
  if (CellrouteError.is(error)) {
    const known = SDK_PROBLEMS[error.code];
    if (known) {
      const [status, title] = known;
      const { option, expected, got } = error.details;
      const again = ['BUSY', 'OUT_OF_MEMORY', 'TIMEOUT'].includes(error.code);
      const found = answer(error.code, status, title, error.message, again ? retryHeader(retryAfter) : {});
      Object.assign(
        found.problem,
        option !== undefined && { option },
        expected !== undefined && { expected },
        got !== undefined && { got },
      );
      return found;
    }
  }
  const { statusCode, message } = (error ?? {}) as { statusCode?: unknown; message?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    // Refused by Fastify or its multipart parser.
    const code = CODE_OF_STATUS[statusCode] ?? 'BAD_REQUEST';
    const [status, title] = HTTP_PROBLEMS[code];
    return answer(code, status, title, String(message));
  }
  const [status, title] = HTTP_PROBLEMS.INTERNAL;
  return {
    ...answer('INTERNAL', status, title, 'The service failed; the log has the reason.'),
    internal: true,
  };
}

const CODE_OF_STATUS: Readonly<Record<number, HttpProblemCode>> = {
  404: 'NOT_FOUND',
  408: 'REQUEST_TIMEOUT',
  413: 'BODY_TOO_LARGE',
  415: 'MEDIA_TYPE_UNSUPPORTED',
  431: 'HEADERS_TOO_LARGE',
};

const retryHeader = (seconds: number) => ({ 'retry-after': String(seconds) });

function answer(
  code: string,
  status: number,
  title: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): ProblemAnswer {
  return {
    problem: { type: `urn:cellroute:problem:${code}`, title, status, detail, code },
    headers,
    internal: false,
  };
}
