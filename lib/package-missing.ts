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

/**
 * Checks that optional packages are installed. The error has one command that installs all missing ones.
 *
 * @param packages versions that are tested, by name: `{ fastify: '5' }`.
 * @throws {CellrouteError} PACKAGE_MISSING
 */
export function requirePackages(
  what: string,
  packages: Readonly<Record<string, string>>,
  { more }: { more?: string } = {},
): void {
  const missing: string[] = [];
  let cause: unknown;
  for (const [name, version] of Object.entries(packages)) {
    try {
      require.resolve(name);
    } catch (error) {
      cause = error;
      missing.push(`${name}@${version}`);
    }
  }
  if (missing.length > 0) throw packageMissing(what, missing, { ...(more !== undefined && { more }), cause });
}
