import { refuse } from '../check.js';
import type { ErrorCode } from '../errors.js';
import { type CallOptions, type ExecutionTarget, runJob } from '../native/job.js';
import { native } from '../native/load.js';

/**
 * Where a network computes: the CPU, the first GPU (`cuda`), another one (`cuda:1`), or the first GPU that can be used
 * and else the CPU (`auto`). A GPU needs the addon with CUDA and a CUDA LibTorch: see docs/cuda.md.
 */
export type Device = 'cpu' | 'cuda' | `cuda:${number}` | 'auto';

/** A device's name, or a refusal. Nothing is asked of the machine. */
export function checkDevice(option: string, value: unknown, code?: ErrorCode): Device {
  if (typeof value === 'string' && /^(cpu|auto|cuda(:\d{1,2})?)$/.test(value)) return value as Device;
  throw refuse(option, "'cpu', 'cuda', 'cuda:1' (or another number) or 'auto'", value, code);
}

/**
 * The device of a name. CUDA is touched only where it is not `cpu`.
 *
 * @throws {CellrouteError} DEVICE_UNAVAILABLE, with why and what helps
 */
export async function resolveDevice(device: Device, options: CallOptions = {}): Promise<string> {
  if (device === 'cpu') return device;
  const { signal } = options;
  return runJob(signal ? { signal } : {}, (call) => native().resolveDevice(device, call));
}

/** The place of a network without low precision. */
export async function placeOn(device: Device = 'cpu', options: CallOptions = {}): Promise<ExecutionTarget> {
  return { device: await resolveDevice(checkDevice('device', device), options), tf32: false };
}
