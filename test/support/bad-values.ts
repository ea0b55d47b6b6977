function detached(): Uint8Array {
  const array = new Uint8Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** Values of every kind that a caller may pass by mistake, each with its name. */
export const badValues: [string, unknown][] = [
  ['null', null],
  ['a number', 5],
  ['NaN', Number.NaN],
  ['a text', 'text'],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a bigint', 10n],
  ['an array', [null]],
  ['an object', { a: '1' }],
  ['an object without a prototype', Object.create(null)],
  ['a map', new Map([[1, 2]])],
  ['bytes', Buffer.from('bytes')],
  ['a detached array', detached()],
];
