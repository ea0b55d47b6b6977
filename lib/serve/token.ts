import { createHash, timingSafeEqual } from 'node:crypto';
import { HttpProblem } from './problem.js';

const digestOf = (text: string) => createHash('sha256').update(text).digest();

/** Checks bearer tokens in a time that does not depend on how much of one is right. */
export function tokenCheck(token: string): (authorization: string | undefined) => void {
  const expected = digestOf(token);
  return (authorization) => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    // Digests have one length, which timingSafeEqual needs.
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
