import { ByteCursor } from '../../../lib/weights/pickle/cursor.js';
import { PickleMachine } from '../../../lib/weights/pickle/machine.js';
import {
  PyDict,
  PyGlobal,
  PyList,
  PyObject,
  PySet,
  PyTuple,
  type Value,
} from '../../../lib/weights/pickle/values.js';
import { long, pickle, text } from '../../support/weights.js';

function machine(bytes: Buffer): PickleMachine {
  return new PickleMachine(new ByteCursor(bytes, 'x', 0), () => {
    throw new Error('no storages here');
  });
}

/** A value in plain JavaScript, for comparison. */
function plain(value: Value): unknown {
  if (value instanceof PyTuple) return { tuple: value.items.map(plain) };
  if (value instanceof PyList) return value.items.map(plain);
  if (value instanceof PySet) return { set: value.items.map(plain) };
  if (value instanceof PyDict)
    return { dict: Array.from(value.entries(), ([key, item]) => [plain(key), plain(item)]) };
  if (value instanceof PyGlobal) return { global: value.name };
  if (value instanceof PyObject)
    return { object: value.callee, args: plain(value.args), state: plain(value.state) };
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value;
}

const run = (...parts: (string | number | Uint8Array)[]) => plain(machine(pickle(...parts, '.')).run());

/** The code of the error, and its place. */
function refusal(...parts: (string | number | Uint8Array)[]) {
  try {
    machine(pickle(...parts)).run();
  } catch (error) {
    return error as { code: string; message: string; details: { position?: number } };
  }
  return undefined;
}

describe('values', () => {
  test.each<[string, (string | number | Uint8Array)[], unknown]>([
    ['None', ['N'], null],
    ['True', [0x88], true],
    ['False', [0x89], false],
    ['True of protocol 0', ['I01\n'], true],
    ['an integer of protocol 0', ['I-12\n'], -12],
    ['a long of protocol 0', ['L123456789012345678901L\n'], 123456789012345678901n],
    ['BININT', ['J', 0xfe, 0xff, 0xff, 0xff], -2],
    ['BININT1', ['K', 200], 200],
    ['BININT2', ['M', 0x34, 0x12], 0x1234],
    ['LONG1 of no bytes', [0x8a, 0], 0],
    ['LONG1', [0x8a, 2, 0x00, 0x80], -32768],
    ['LONG1 beyond a double', [long(2n ** 60n + 1n)], 2n ** 60n + 1n],
    ['LONG4', [0x8b, 1, 0, 0, 0, 0xff], -1],
    ['FLOAT', ['F-1.5e3\n'], -1500],
    ['FLOAT infinity', ['F-inf\n'], Number.NEGATIVE_INFINITY],
    ['FLOAT nan', ['Fnan\n'], Number.NaN],
    ['BINFLOAT', ['G', 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5],
    ['STRING', ["S'a\\n\\x41\\101\\\\'\n"], 'a\nAA\\'],
    ['UNICODE', ['Va\\u00e9\\U0001f600\n'], 'aé😀'],
    ['BINUNICODE', [text('é')], 'é'],
    ['SHORT_BINUNICODE', [0x8c, 1, 'a'], 'a'],
    ['BINUNICODE8', [0x8d, 1, 0, 0, 0, 0, 0, 0, 0, 'a'], 'a'],
    ['BINSTRING', ['T', 1, 0, 0, 0, 'a'], 'a'],
    ['SHORT_BINSTRING', ['U', 1, 'a'], 'a'],
    ['BINBYTES', ['B', 1, 0, 0, 0, 'a'], { bytes: '61' }],
    ['SHORT_BINBYTES', ['C', 1, 'a'], { bytes: '61' }],
    ['BYTEARRAY8', [0x96, 1, 0, 0, 0, 0, 0, 0, 0, 'a'], { bytes: '61' }],
    [
      'tuples',
      [')', 'N', 0x85, 'N', 'N', 0x86, 'N', 'N', 'N', 0x87, '(', 't', '(', 'N', 't', 0x87],
      { tuple: [{ tuple: [null, null, null] }, { tuple: [] }, { tuple: [null] }] },
    ],
    ['lists', [']', 'Na', '(NNe'], [null, null, null]],
    ['a list from a mark', ['(K', 1, 'K', 2, 'l'], [1, 2]],
    [
      'dicts',
      ['}', text('a'), 'K', 1, 's', '(', text('b'), 'K', 2, 'u'],
      {
        dict: [
          ['a', 1],
          ['b', 2],
        ],
      },
    ],
    ['a dict from a mark', ['(K', 1, 'K', 2, 'd'], { dict: [[1, 2]] }],
    ['sets', [0x8f, '(K', 1, 0x90], { set: [1] }],
    ['a frozen set', ['(K', 1, 0x91], { set: [1] }],
    ['memo, text', ['K', 7, 'p300\n0g300\n'], 7],
    ['memo, binary', ['K', 7, 'q', 9, '0h', 9], 7],
    ['memo, long', ['K', 7, 'r', 0xff, 0xff, 0xff, 0xff, '0j', 0xff, 0xff, 0xff, 0xff], 7],
    ['MEMOIZE', ['K', 7, 0x94, '0h', 0], 7],
    ['DUP and POP', ['K', 1, '2', '0'], 1],
    ['POP of a mark', ['K', 1, '(', '0'], 1],
    ['POP_MARK', ['K', 1, '(NN', '1'], 1],
    ['FRAME', [0x80, 4, 0x95, 2, 0, 0, 0, 0, 0, 0, 0, 'N'], null],
    [
      'a global, of protocol 2 and of 4',
      ['c__builtin__\nlong\n', text('a.b'), text('c'), 0x93, 0x86],
      { tuple: [{ global: 'builtins.long' }, { global: 'a.b.c' }] },
    ],
  ])('%s', (_, parts, expected) => {
    expect(run(...parts)).toEqual(expected);
  });
});

describe('calls', () => {
  test.each<[string, (string | number | Uint8Array)[], unknown]>([
    [
      'OrderedDict',
      ['ccollections\nOrderedDict\n', ']', '(', text('a'), 'K', 1, 0x86, 'e', 0x85, 'R'],
      { dict: [['a', 1]] },
    ],
    [
      'defaultdict, whose factory stays a name',
      ['ccollections\ndefaultdict\n', 'cos\nsystem\n', 0x85, 'R'],
      { dict: [] },
    ],
    ['set', ['c__builtin__\nset\n', '(K', 1, 'l', 0x85, 'R'], { set: [1] }],
    ['torch.Size', ['ctorch\nSize\n', '(K', 1, 'K', 2, 't', 0x85, 'R'], { tuple: [1, 2] }],
    ['bytes under protocol 2', ['c_codecs\nencode\n', text('é'), text('latin1'), 0x86, 'R'], { bytes: 'e9' }],
    [
      'a numpy number',
      [
        'cnumpy._core.multiarray\nscalar\n',
        'cnumpy\ndtype\n',
        text('f8'),
        0x89,
        0x88,
        0x87,
        'R',
        '(K',
        3,
        text('<'),
        'NNNJ',
        255,
        255,
        255,
        255,
        'J',
        255,
        255,
        255,
        255,
        'K',
        0,
        'tb',
        'C',
        8,
        0,
        0,
        0,
        0,
        0,
        0,
        0xf8,
        0x3f,
        0x86,
        'R',
      ],
      1.5,
    ],
  ])('%s gives data', (_, parts, expected) => {
    const vm = machine(pickle(...parts, '.'));
    expect(plain(vm.run())).toEqual(expected);
    expect(vm.skippedCalls.size).toBe(0);
  });

  const system = 'cposix\nsystem\n';
  const command = text('true');
  test.each<[string, (string | number | Uint8Array)[], string]>([
    ['REDUCE', [system, command, 0x85, 'R'], 'posix.system'],
    ['NEWOBJ', [system, command, 0x85, 0x81], 'posix.system'],
    ['NEWOBJ_EX', [system, command, 0x85, '}', 0x92], 'posix.system'],
    ['OBJ', ['(', system, command, 'o'], 'posix.system'],
    ['INST', ['(', command, 'iposix\nsystem\n'], 'posix.system'],
    ['STACK_GLOBAL', [text('posix'), text('system'), 0x93, command, 0x85, 'R'], 'posix.system'],
    [
      'a name split into parts',
      ['cbuiltins\ngetattr\n', 'cos\npath\n', text('system'), 0x86, 'R', command, 0x85, 'R'],
      'builtins.getattr',
    ],
    [
      'a module with dots in the name',
      [text('torch'), text('serialization.os.system'), 0x93, command, 0x85, 'R'],
      'torch.serialization.os.system',
    ],
    [
      'a method of an allowed name',
      [text('collections'), text('OrderedDict.fromkeys'), 0x93, command, 0x85, 'R'],
      'collections.OrderedDict.fromkeys',
    ],
    [
      'a nested pickle',
      ['ctorch.storage\n_load_from_bytes\n', 'C', 1, '.', 0x85, 'R'],
      'torch.storage._load_from_bytes',
    ],
    ['a state given to a class', ['cos\nenviron\n', '}', 'b'], 'os.environ'],
  ])('%s is skipped and listed', (_, parts, name) => {
    const vm = machine(pickle(...parts, '.'));
    vm.run();
    expect(vm.skippedCalls.get(name)).toMatchObject({ what: name, times: 1 });
  });

  test('an object keeps its arguments and its state', () => {
    expect(run('cm\nC\n', 'K', 1, 0x85, 0x81, '}', text('x'), 'K', 2, 's', 'b')).toEqual({
      object: 'm.C',
      args: { tuple: [1] },
      state: { dict: [['x', 2]] },
    });
  });

  test('the result of an unknown call can be called too', () => {
    const calls = pickle('cm\nf\n', ...Array.from({ length: 1000 }, () => ')R'), '.');
    const vm = machine(calls);
    vm.run();
    expect([...vm.skippedCalls.keys()]).toEqual(['m.f', 'm.f(…)']);
  });
});

describe('refusals', () => {
  const many = (part: string, count: number) => Buffer.alloc(part.length * count, part, 'latin1');

  test.each<[string, (string | number | Uint8Array)[], string]>([
    ['an unknown opcode', [0xff], 'WEIGHTS_DAMAGED'],
    ['the end of the bytes', ['N'], 'WEIGHTS_DAMAGED'],
    ['an empty stack', ['.'], 'WEIGHTS_DAMAGED'],
    ['a mark for a value', ['(', '.'], 'WEIGHTS_DAMAGED'],
    ['a value below a mark', ['N(R'], 'WEIGHTS_DAMAGED'],
    ['a missing mark', ['Nt'], 'WEIGHTS_DAMAGED'],
    ['protocol 6', [0x80, 6], 'WEIGHTS_DAMAGED'],
    ['a frame past the end', [0x95, 9, 0, 0, 0, 0, 0, 0, 0, 'N.'], 'WEIGHTS_DAMAGED'],
    ['a memo entry never stored', ['h', 3, '.'], 'WEIGHTS_DAMAGED'],
    ['a negative memo entry', ['Np-1\n.'], 'WEIGHTS_DAMAGED'],
    ['an odd number of dict items', ['}(Nu.'], 'WEIGHTS_DAMAGED'],
    ['items for a number', ['K', 1, '(NNu.'], 'WEIGHTS_DAMAGED'],
    ['an append to a number', ['K', 1, 'Na.'], 'WEIGHTS_DAMAGED'],
    ['a state for a number', ['K', 1, '}b.'], 'WEIGHTS_DAMAGED'],
    ['a call of a number', ['K', 1, ')R.'], 'WEIGHTS_DAMAGED'],
    ['a known call without a tuple', ['ccollections\nOrderedDict\nNR.'], 'WEIGHTS_DAMAGED'],
    ['a global without a text', ['NN', 0x93, '.'], 'WEIGHTS_DAMAGED'],
    ['a long line that does not end', ['c', many('a', 100_000)], 'WEIGHTS_DAMAGED'],
    ['a global of 100,000 characters', ['c', many('a', 100_000), '\nb\n.'], 'WEIGHTS_DAMAGED'],
    ['a text past the end', ['X', 0xff, 0xff, 0xff, 0xff, 'a.'], 'WEIGHTS_DAMAGED'],
    ['a text of 2^64 bytes', [0x8d, 255, 255, 255, 255, 255, 255, 255, 255, '.'], 'WEIGHTS_DAMAGED'],
    ['a text that is not UTF-8', ['X', 1, 0, 0, 0, 0xff, '.'], 'WEIGHTS_DAMAGED'],
    ['a negative length', ['T', 255, 255, 255, 255, '.'], 'WEIGHTS_DAMAGED'],
    ['a LONG4 of 2 GB', [0x8b, 255, 255, 255, 127, '.'], 'WEIGHTS_DAMAGED'],
    ['a negative LONG4', [0x8b, 255, 255, 255, 255, '.'], 'WEIGHTS_DAMAGED'],
    ['a LONG4 that is there, of 1 MB', [0x8b, 0, 0, 16, 0, many('\x7f', 1 << 20), '.'], 'WEIGHTS_DAMAGED'],
    ['a LONG of a million digits', ['L', many('9', 1_000_000), '\n.'], 'WEIGHTS_DAMAGED'],
    ['an invalid integer', ['Iabc\n.'], 'WEIGHTS_DAMAGED'],
    ['an invalid float', ['F0x10\n.'], 'WEIGHTS_DAMAGED'],
    ['a string without quotes', ['Sabc\n.'], 'WEIGHTS_DAMAGED'],
    ['a character beyond Unicode', ['V\\UFFFFFFFF\n.'], 'WEIGHTS_DAMAGED'],
    ['the extension registry', [0x82, 1, '.'], 'WEIGHTS_REFUSED'],
    ['a buffer outside the pickle', [0x97, '.'], 'WEIGHTS_REFUSED'],
    ['marks without an end', [many('(', 1_100_000)], 'WEIGHTS_DAMAGED'],
    ['a stack without an end', [many('N', 1_100_000)], 'WEIGHTS_DAMAGED'],
    [
      'empty dicts without an end',
      ['](', many('}', 900_000), 'e(', many('}', 900_000), 'e.'],
      'WEIGHTS_DAMAGED',
    ],
    ['memo entries without an end', ['N', many('\x94', 2_100_000), '.'], 'WEIGHTS_DAMAGED'],
  ])('%s', (_, parts, code) => {
    expect(refusal(...parts)).toMatchObject({ code, details: { file: 'x' } });
  });

  test('a dict of 1,000 entries is not copied 10,000 times', () => {
    const entries = Array.from({ length: 1000 }, (_, i) => pickle('M', i & 255, i >> 8, 'N'));
    const copy = 'ccollections\nOrderedDict\nh\x00\x85R0';
    expect(refusal('}q', 0, '(', ...entries, 'u0', many(copy, 10_000), 'N.')).toMatchObject({
      code: 'WEIGHTS_DAMAGED',
      message: expect.stringContaining('objects'),
    });
  });

  test('a million nesting levels are read without recursion', () => {
    const deep = machine(pickle(many(']', 400_000), many('a', 399_999), '.')).run();
    expect(deep).toBeInstanceOf(PyList);
  });

  test('the error has the position of the opcode', () => {
    expect(refusal('NN0', 0xff)).toMatchObject({ details: { position: 3 } });
  });
});
