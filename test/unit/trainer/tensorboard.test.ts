import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogLine } from '../../../lib/trainer/log.js';
import { TensorBoard } from '../../../lib/trainer/tensorboard.js';
import { runFolders } from '../../support/training.js';

const folder = runFolders();

const lines: LogLine[] = [
  {
    kind: 'step',
    time: 1_700_000_000.25,
    epoch: 1,
    step: 1,
    total: 1.5,
    losses: { loss_mask: 1, loss_box_reg: 0.5 },
    lr: 0.0004,
    momentum: 0.95,
    gradNorm: 3.25,
    imagesPerSecond: 2,
  },
  {
    kind: 'epoch',
    time: 1_700_000_001,
    epoch: 1,
    step: 300,
    total: 1.25,
    losses: { loss_mask: 1 },
    seconds: 9,
  },
  {
    kind: 'validation',
    time: 1_700_000_002,
    epoch: 1,
    step: 3_000_000_000,
    metric: 'kaggle',
    score: 0.5,
    best: true,
    figures: { kaggle: 0.5, ap: 0.25 },
    seconds: 2,
  },
  { kind: 'stop', time: 1_700_000_003, epoch: 1, step: 300, reason: 'finished' },
];

async function write(path: string): Promise<void> {
  const log = new TensorBoard(path);
  for (const line of lines) await log.record(line);
  await log.close();
}

/** Records of the file; lengths and checksums are compared with a bitwise CRC-32C. */
function records(path: string): Buffer[] {
  const [name, ...others] = readdirSync(path);
  expect(others).toEqual([]);
  const bytes = readFileSync(join(path, name!));
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(data));
    found.push(data);
    at += length + 16;
  }
  return found;
}

function masked(data: Buffer): number {
  let crc = 0xffffffffn;
  for (const byte of data) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

test('records are framed with their lengths and checksums, and there is one file', async () => {
  const path = folder('framed');
  await write(path);
  await write(path);
  const found = records(path);
  expect(found).toHaveLength(4);
  expect(found[0]!.toString('latin1')).toContain('brain.Event:2');
  expect(found[1]!.toString('latin1')).toContain('train/loss_box_reg');
});

const python = process.env.CELLROUTE_REFERENCE_PYTHON;
const hasTensorboard = python !== undefined && spawnSync(python, ['-c', 'import tensorboard']).status === 0;
const real = hasTensorboard ? test : test.skip;

real('TensorBoard can read them', async () => {
  const path = folder('read');
  await write(path);
  const program = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]).Reload()
print(json.dumps({tag: [[e.wall_time, e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
`;
  const { stdout, stderr, status } = spawnSync(python!, ['-c', program, path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const close = (value: number) => expect.closeTo(value, 7);
  expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toEqual({
    'train/total': [[1_700_000_000.25, 1, 1.5]],
    'train/loss_mask': [[1_700_000_000.25, 1, 1]],
    'train/loss_box_reg': [[1_700_000_000.25, 1, 0.5]],
    'rate/lr': [[1_700_000_000.25, 1, close(0.0004)]],
    'rate/momentum': [[1_700_000_000.25, 1, close(0.95)]],
    'gradient/norm': [[1_700_000_000.25, 1, 3.25]],
    'speed/images_per_second': [[1_700_000_000.25, 1, 2]],
    'epoch/total': [[1_700_000_001, 300, 1.25]],
    'epoch/loss_mask': [[1_700_000_001, 300, 1]],
    'validation/kaggle': [[1_700_000_002, 3_000_000_000, 0.5]],
    'validation/ap': [[1_700_000_002, 3_000_000_000, 0.25]],
  });
});
