import { createHash, timingSafeEqual } from 'node:crypto';
import { HttpProblem } from './problem.js';

const digestOf = (text: string) => createHash('sha256').update(text).digest();

/** Checks bearer tokens in constant time. */
export function tokenCheck(token: string): (authorization: string | undefined) => void {
  const expected = digestOf(token);
  return (authorization) => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    // timingSafeEqual needs values of equal length.
    const equal = timingSafeEqual(digestOf(given ?? ''), expected);
    if (given !== undefined && equal) return;
    const reason = given === undefined ? '' : ', error="invalid_token"';
    throw new HttpProblem(
      'UNAUTHORIZED',
      'Pass the token of this service as "Authorization: Bearer TOKEN".',
      {
        'www-authenticate': `Bearer realm="cellroute"${reason}`,
      },
    );
  };
}
