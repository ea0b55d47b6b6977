import { mkdirSync } from 'node:fs';
import { inspectWeights, openWeights } from '../../../lib/weights/open.js';
import {
  dict,
  liesInside,
  long,
  numbers,
  pickle,
  readAll,
  refusalOf,
  save,
  temporaryFolder,
  tensor,
  text,
  torchZip,
  tuple,
  zip,
} from '../../support/weights.js';

const path = temporaryFolder();
const eight = Buffer.from(Float32Array.from({ length: 8 }, (_, i) => i).buffer);
const plain = tensor({ length: 8, shape: [8], strides: [1] });

const checkpoint = async (pickled: Buffer, storages = [eight], extra = {}) =>
  save(path('x.pth'), await torchZip(pickled, storages, extra));

describe('a tensor', () => {
  test.each<[string, Parameters<typeof tensor>[0], number[]]>([
    ['whole', { length: 8, shape: [2, 4], strides: [4, 1] }, [0, 1, 2, 3, 4, 5, 6, 7]],
    ['transposed', { length: 8, shape: [4, 2], strides: [1, 4] }, [0, 4, 1, 5, 2, 6, 3, 7]],
    ['sliced', { length: 8, offset: 1, shape: [2, 2], strides: [4, 2] }, [1, 3, 5, 7]],
    ['of one element at the end', { length: 8, offset: 7, shape: [], strides: [] }, [7]],
    ['empty at the end', { length: 8, offset: 8, shape: [0, 9], strides: [9, 1] }, []],
    ['repeated within its storage', { length: 8, shape: [4, 2], strides: [0, 1] }, [0, 1, 0, 1, 0, 1, 0, 1]],
  ])('%s is read in row-major order', async (_, fields, expected) => {
    const weights = await openWeights(await checkpoint(dict({ a: tensor(fields) })));
    expect(numbers((await readAll(weights)).get('a')!, 'F32')).toEqual(expected);
  });

  test.each<[string, Parameters<typeof tensor>[0]]>([
    ['larger than its storage', { length: 8, shape: [9], strides: [1] }],
    ['a huge tensor over a small storage', { length: 8, shape: [2 ** 40, 2 ** 10], strides: [2 ** 10, 1] }],
    ['a huge tensor with a stride of 0', { length: 8, shape: [2 ** 50], strides: [0] }],
    ['more elements than a double counts', { length: 8, shape: [2 ** 30, 2 ** 30], strides: [0, 0] }],
    [
      'more elements than a double counts, and none',
      { length: 8, shape: [0, 2 ** 40, 2 ** 40], strides: [0, 0, 0] },
    ],
    ['with a negative stride', { length: 8, offset: 7, shape: [8], strides: [-1] }],
    ['with a negative dimension', { length: 8, shape: [-1], strides: [1] }],
    ['with a negative offset', { length: 8, offset: -1, shape: [1], strides: [1] }],
    ['with an offset past its storage', { length: 8, offset: 8, shape: [1], strides: [1] }],
    ['empty past its storage', { length: 8, offset: 9, shape: [0], strides: [1] }],
    ['with an offset past 53 bits', { length: 8, offset: 2n ** 62n, shape: [1], strides: [1] }],
    ['with an offset whose bytes pass 53 bits', { length: 8, offset: 2n ** 52n, shape: [1], strides: [1] }],
    ['with a stride whose reach passes 53 bits', { length: 8, shape: [3], strides: [2n ** 52n] }],
    ['with fewer strides than dimensions', { length: 8, shape: [2, 2], strides: [1] }],
    ['with 65 dimensions', { length: 8, shape: new Array(65).fill(1), strides: new Array(65).fill(1) }],
    ['in a missing storage', { key: '1', length: 8, shape: [8], strides: [1] }],
    ['in a storage by another path', { key: '../data.pkl', length: 8, shape: [8], strides: [1] }],
    ['in a storage longer than its entry', { length: 9, shape: [8], strides: [1] }],
    ['in a storage shorter than its entry', { length: 7, shape: [7], strides: [1] }],
    ['in a storage of a negative length', { length: -8, shape: [0], strides: [1] }],
    ['in a storage past 53 bits', { length: 2n ** 61n, shape: [1], strides: [1] }],
  ])('%s is refused', async (_, fields) => {
    const file = await checkpoint(dict({ a: tensor(fields) }));
    expect(await refusalOf(file)).toMatchObject({
      code: 'WEIGHTS_DAMAGED',
      details: { file, position: expect.any(Number) },
    });
  });

  test('of an unsupported type is refused with its name', async () => {
    const file = await checkpoint(
      dict({ a: tensor({ storage: 'ComplexFloatStorage', length: 4, shape: [4], strides: [1] }) }),
    );
    expect(await refusalOf(file)).toMatchObject({
      code: 'WEIGHTS_REFUSED',
      message: expect.stringContaining('torch.ComplexFloatStorage'),
    });
  });

  test('a storage with two different descriptions is refused', async () => {
    const other = tensor({ storage: 'IntStorage', length: 8, shape: [8], strides: [1] });
    expect((await refusalOf(await checkpoint(dict({ a: plain, b: other })))).code).toBe('WEIGHTS_DAMAGED');
  });
});

describe('nested checkpoints', () => {
  test('tensors get dotted names, all other entries are listed', async () => {
    const inner = dict({ w: plain, n: text('hello') }).subarray(2, -1);
    const file = await checkpoint(
      dict({ a: inner, list: pickle('](', plain, 'Ne'), epoch: pickle('K', 3), none: pickle('N') }),
    );
    const { tensors, others, prefix } = await openWeights(file);
    expect(prefix).toBe('');
    expect(tensors.map((entry) => entry.name)).toEqual(['a.w', 'list.0']);
    expect(others).toEqual([
      { name: 'a.n', value: '"hello"' },
      { name: 'list.1', value: 'None' },
      { name: 'epoch', value: '3' },
      { name: 'none', value: 'None' },
    ]);
  });

  test.each(['model', 'state_dict', 'model_state_dict'])('the state dict under %s is found', async (key) => {
    const inner = dict({ w: plain }).subarray(2, -1);
    const { tensors, others, prefix } = await openWeights(
      await checkpoint(dict({ optimizer: inner, [key]: inner })),
    );
    expect(prefix).toBe(`${key}.`);
    expect(tensors.map((entry) => entry.name)).toEqual(['w']);
    expect(others).toEqual([{ name: 'optimizer.w', value: 'tensor F32 [8]' }]);
  });

  test('the state dict is found beside a tensor, such as the loss of the last step', async () => {
    const inner = dict({ w: plain }).subarray(2, -1);
    const { tensors, others, prefix } = await openWeights(
      await checkpoint(dict({ model_state_dict: inner, loss: plain })),
    );
    expect(prefix).toBe('model_state_dict.');
    expect(tensors.map((entry) => entry.name)).toEqual(['w']);
    expect(others).toEqual([{ name: 'loss', value: 'tensor F32 [8]' }]);
  });

  test('fastcore’s lists in an optimizer’s state are data', async () => {
    const inner = dict({ w: plain }).subarray(2, -1);
    const list = pickle('cfastcore.foundation\nL\n', ')R');
    const { tensors, refused } = await openWeights(
      await checkpoint(dict({ model: inner, opt: dict({ hypers: list }).subarray(2, -1) })),
    );
    expect(refused).toEqual([]);
    expect(tensors.map((entry) => entry.name)).toEqual(['w']);
  });

  test('two tensors with one dotted name are refused', async () => {
    const inner = dict({ w: plain }).subarray(2, -1);
    expect(await refusalOf(await checkpoint(dict({ a: inner, 'a.w': plain })))).toMatchObject({
      code: 'WEIGHTS_DAMAGED',
      message: expect.stringContaining('a.w'),
    });
  });

  test.each([
    ['a list that holds itself', pickle('](q', 0, 'h', 0, 'h', 0, 'h', 0, 'e.')],
    [
      'thirty lists, each twice in the next',
      pickle(']Na', ...Array.from({ length: 30 }, (_, i) => pickle('q', i, `0](h`, i, 'h', i, 'e')), '.'),
    ],
    [
      'a module that is its own child',
      pickle(
        'cm\nM\n)',
        0x81,
        'q',
        0,
        '}',
        text('_modules'),
        '}(',
        text('a'),
        'h',
        0,
        text('b'),
        'h',
        0,
        'us',
        'b.',
      ),
    ],
  ])('%s is read in finite time', async (_, pickled) => {
    await expect(inspectWeights(await checkpoint(pickled))).rejects.toMatchObject({
      code: 'WEIGHTS_DAMAGED',
    });
  });

  test('many views of one storage do not add up to more than the file can justify', async () => {
    const storage = Buffer.alloc(1 << 20);
    const whole = { length: 1 << 18, shape: [1 << 18], strides: [1] };
    const views = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`v${i}`, tensor(whole)]));
    expect((await refusalOf(await checkpoint(dict(views), [storage]))).code).toBe('WEIGHTS_REFUSED');
    const few = Object.fromEntries(Object.entries(views).slice(0, 4));
    expect((await openWeights(await checkpoint(dict(few), [storage]))).tensors).toHaveLength(4);
  });

  test('a pickled module is refused, and inspect lists its state dict', async () => {
    const parameters = pickle('}', text('weight'), plain, 's');
    const pickled = pickle(
      'ctorch.nn.modules.linear\nLinear\n)',
      0x81,
      '}(',
      text('_parameters'),
      parameters,
      text('_buffers'),
      '}',
      text('_modules'),
      '}',
      'ub.',
    );
    const file = await checkpoint(pickled);
    expect(await refusalOf(file)).toMatchObject({
      code: 'WEIGHTS_REFUSED',
      message: expect.stringContaining('Linear'),
    });
    const { tensors, refused } = await inspectWeights(file);
    expect(tensors.map((entry) => entry.name)).toEqual(['weight']);
    expect(refused).toMatchObject([{ what: 'torch.nn.modules.linear.Linear', times: 1 }]);
  });

  test.each([
    ['Ultralytics YOLO', 'ultralytics.nn.tasks', 'SegmentationModel'],
    ['Ultralytics YOLO', 'models.yolo', 'Model'],
    ['detectron2', 'detectron2.config.config', 'CfgNode'],
    ['detectron2', 'fvcore.common.config', 'CfgNode'],
    ['MMDetection', 'mmengine.logging.history_buffer', 'HistoryBuffer'],
    ['Cellpose', 'cellpose.models', 'CellposeModel'],
    ['segmentation_models.pytorch', 'segmentation_models_pytorch.decoders.unet.model', 'Unet'],
  ])('an object of %s is refused with its name: %s.%s', async (network, module, name) => {
    const file = await checkpoint(dict({ model: pickle(`c${module}\n${name}\n)`, 0x81, '}b') }));
    expect(await refusalOf(file)).toMatchObject({
      code: 'WEIGHTS_REFUSED',
      message: expect.stringContaining(`it is a checkpoint of ${network}, whose networks`),
    });
  });
});

describe('the zip archive', () => {
  const entries = { 't/data.pkl': dict({ a: plain }), 't/data/0': eight };

  test('with 64-bit fields is read', async () => {
    const weights = await openWeights(save(path('64.pth'), await zip(entries, { zip64: true })));
    expect(numbers((await readAll(weights)).get('a')!, 'F32')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test.each<[string, () => Promise<Buffer>, string]>([
    ['compressed', () => zip(entries, { compress: true }), 'WEIGHTS_REFUSED'],
    ['big-endian', () => zip({ ...entries, 't/byteorder': Buffer.from('big') }), 'WEIGHTS_REFUSED'],
    [
      'of an unknown byte order',
      () => zip({ ...entries, 't/byteorder': Buffer.from('both') }),
      'WEIGHTS_DAMAGED',
    ],
    ['of an unknown version', () => zip({ ...entries, 't/version': Buffer.from('99\n') }), 'WEIGHTS_DAMAGED'],
    ['without a pickle', () => zip({ 't/data/0': eight }), 'WEIGHTS_FORMAT'],
    ['without a folder', () => zip({ a: eight }), 'WEIGHTS_FORMAT'],
    ['without an entry', () => zip({}), 'WEIGHTS_FORMAT'],
  ])('%s is refused', async (_, make, code) => {
    const file = save(path('zip.pth'), await make());
    expect(await refusalOf(file)).toMatchObject({ code, details: { file } });
  });

  /** Every occurrence of one text replaced by another of its length. */
  const replaced = (bytes: Buffer, from: string, to: string) =>
    Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1');

  test.each<[string, string, string, string]>([
    ['two entries with one name', 't/data/1', 't/data/0', 'WEIGHTS_DAMAGED'],
    ['a name outside the archive', 't/data/1', '../ata/1', 'WEIGHTS_REFUSED'],
    ['an absolute name', 't/data/1', '/tdata/1', 'WEIGHTS_REFUSED'],
    ['a name with a drive', 't/data/1', 'C:data/1', 'WEIGHTS_REFUSED'],
  ])('%s is refused', async (_, from, to, code) => {
    const file = save(path('names.pth'), replaced(await zip({ ...entries, 't/data/1': eight }), from, to));
    expect((await refusalOf(file)).code).toBe(code);
  });

  test('a pickle that does not match its checksum is refused', async () => {
    const bytes = await zip(entries);
    const at = bytes.indexOf('_rebuild') + 2;
    bytes.writeUInt8(bytes[at]! ^ 1, at);
    expect(await refusalOf(save(path('crc.pth'), bytes))).toMatchObject({
      code: 'WEIGHTS_DAMAGED',
      message: expect.stringContaining('checksum'),
    });
  });

  test('overlapping entries are refused', async () => {
    const two = { a: plain, b: tensor({ key: '1', length: 8, shape: [8], strides: [1] }) };
    const bytes = await torchZip(dict(two), [eight, eight]);
    const directory = (name: string) => bytes.lastIndexOf(name) - 46;
    // Its directory entry sends storage 1 to storage 0's header.
    bytes.copy(bytes, directory('t/data/1') + 42, directory('t/data/0') + 42, directory('t/data/0') + 46);
    expect(await refusalOf(save(path('overlap.pth'), bytes))).toMatchObject({
      code: 'WEIGHTS_DAMAGED',
      message: expect.stringContaining('overlap'),
    });
  });

  test('a 64-bit directory far outside the file is refused', async () => {
    const bytes = await zip(entries, { zip64: true });
    for (const high of [0x7fffffff, 0xffffffff, 0x00200000]) {
      bytes.writeUInt32LE(high, bytes.lastIndexOf('PK\x06\x07') + 12);
      expect((await refusalOf(save(path('far.pth'), bytes))).code).toBe('WEIGHTS_DAMAGED');
    }
  });
});

describe('the format before PyTorch 1.6', () => {
  const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
  const storage = (type: string, view: Buffer) =>
    pickle('(', text('storage'), `ctorch\n${type}\n`, text('k'), text('cpu'), long(8), view, 'tQ');
  const whole = (view: Buffer, shape: number[], offset = 0) =>
    pickle(
      0x80,
      2,
      '}',
      text('a'),
      'ctorch._utils\n_rebuild_tensor_v2\n(',
      storage('FloatStorage', view),
      long(offset),
      tuple(...shape.map(long)),
      tuple(long(1)),
      0x89,
      'ccollections\nOrderedDict\n)RtRs.',
    );
  const length = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  };
  const none = pickle('N');
  const file = ({
    protocol = pickle(0x80, 2, 'M', 0xe9, 0x03, '.'),
    system = pickle(0x80, 2, '}', text('little_endian'), 0x88, 's.'),
    value = whole(none, [8]),
    keys = pickle(0x80, 2, '](', text('k'), 'e.'),
    data = Buffer.concat([length(8n), eight]),
  } = {}) => save(path('legacy.pth'), Buffer.concat([magic, protocol, system, value, keys, data]));

  test('is read', async () => {
    const weights = await openWeights(file());
    expect(weights.format).toBe('torch-legacy');
    expect(numbers((await readAll(weights)).get('a')!, 'F32')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('a view of a storage is read from its start', async () => {
    const view = tuple(text('v'), long(2), long(3));
    const weights = await openWeights(file({ value: whole(view, [3]) }));
    expect(numbers((await readAll(weights)).get('a')!, 'F32')).toEqual([2, 3, 4]);
    expect((await refusalOf(file({ value: whole(view, [4]) }))).code).toBe('WEIGHTS_DAMAGED');
    const long_ = tuple(text('v'), long(2), long(7));
    expect((await refusalOf(file({ value: whole(long_, [3]) }))).code).toBe('WEIGHTS_DAMAGED');
  });

  test('pickles longer than the first block are read completely', async () => {
    const filler = pickle(text('filler'), text('x'.repeat(3 << 20)));
    const value = pickle(0x80, 2, '}(', filler, 'u', whole(none, [8]).subarray(3, -2), 's.');
    const weights = await openWeights(file({ value }));
    expect(weights.tensors).toHaveLength(1);
    expect(weights.others).toMatchObject([{ name: 'filler' }]);
  });

  test.each<[string, () => string, string]>([
    ['another protocol', () => file({ protocol: pickle(0x80, 2, 'K', 1, '.') }), 'WEIGHTS_REFUSED'],
    [
      'big-endian numbers',
      () => file({ system: pickle(0x80, 2, '}', text('little_endian'), 0x89, 's.') }),
      'WEIGHTS_REFUSED',
    ],
    ['no system', () => file({ system: pickle(0x80, 2, 'N.') }), 'WEIGHTS_DAMAGED'],
    ['keys that are not a list', () => file({ keys: pickle(0x80, 2, 'N.') }), 'WEIGHTS_DAMAGED'],
    [
      'a key without a description',
      () => file({ keys: pickle(0x80, 2, '](', text('k'), text('l'), 'e.') }),
      'WEIGHTS_DAMAGED',
    ],
    [
      'a key listed twice',
      () => file({ keys: pickle(0x80, 2, '](', text('k'), text('k'), 'e.') }),
      'WEIGHTS_DAMAGED',
    ],
    ['a storage that is not listed', () => file({ keys: pickle(0x80, 2, '].') }), 'WEIGHTS_DAMAGED'],
    ['a length that differs', () => file({ data: Buffer.concat([length(7n), eight]) }), 'WEIGHTS_DAMAGED'],
    ['a negative length', () => file({ data: Buffer.concat([length(-1n), eight]) }), 'WEIGHTS_DAMAGED'],
    [
      'a storage past the end',
      () => file({ data: Buffer.concat([length(8n), eight.subarray(1)]) }),
      'WEIGHTS_DAMAGED',
    ],
    [
      'a call',
      () =>
        file({
          value: pickle(0x80, 2, 'cposix\nsystem\n', text('true'), 0x85, 'R.'),
          keys: pickle(0x80, 2, '].'),
        }),
      'WEIGHTS_REFUSED',
    ],
  ])('%s is refused', async (_, make, code) => {
    expect((await refusalOf(make())).code).toBe(code);
  });
});

describe('other files', () => {
  test.each([
    ['an empty file', Buffer.alloc(0)],
    ['a bare pickle', pickle(0x80, 4, '}.')],
    ['an image', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')],
  ])('%s is not a weights file', async (_, bytes) => {
    expect((await refusalOf(save(path('none.pth'), bytes))).code).toBe('WEIGHTS_FORMAT');
  });

  test('a folder and a missing file cannot be read', async () => {
    mkdirSync(path('folder'));
    expect((await refusalOf(path('folder'))).code).toBe('FILE_UNREADABLE');
    expect((await refusalOf(path('missing'))).code).toBe('FILE_UNREADABLE');
  });

  test('the ranges of a valid file are inside it', async () => {
    const { tensors, size } = await openWeights(await checkpoint(dict({ a: plain })));
    expect(tensors.every((entry) => liesInside(entry, size))).toBe(true);
  });
});
