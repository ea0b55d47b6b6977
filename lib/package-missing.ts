import { CellrouteError } from './errors.js';

/**
 * The error for optional packages that are not installed.
 *
 * @param what needs them, as it stands at the beginning of a sentence.
 * @param packages names, with the version where a certain one is needed: `fastify@5`.
 */
export function packageMissing(
  what: string,
  packages: readonly string[],
  { more = '', cause }: { more?: string; cause?: unknown } = {},
): CellrouteError {
  const names = packages.map((name) => name.replace(/(?<=.)@.*$/, ''));
  const [noun, verb] = packages.length === 1 ? ['package', 'is'] : ['packages', 'are'];
  return new CellrouteError(
    'PACKAGE_MISSING',
    `${what} needs the ${noun} ${names.join(', ')}, which ${verb} not installed: npm install ${packages.join(' ')}${more}`,
    { option: what, expected: names.join(', ') },
    { cause },
  );
}
