import { type RefusalCode, refuse } from '../check.js';
import { type CallOptions, type ExecutionTarget, runJob } from '../native/job.js';
import { native } from '../native/load.js';

/**
 * Device of a network: the CPU (`cpu`), the first GPU (`cuda`), another GPU (`cuda:1`), or `auto`: the first usable GPU,
 * otherwise the CPU. A GPU needs the addon built with CUDA and a CUDA LibTorch: see docs/cuda.md.
 */
export type Device = 'cpu' | 'cuda' | `cuda:${number}` | 'auto';

/** Checks the name of a device. Does not query the hardware. */
export function checkDevice(option: string, value: unknown, code?: RefusalCode): Device {
  if (typeof value === 'string' && /^(cpu|auto|cuda(:\d{1,2})?)$/.test(value)) return value as Device;
  throw refuse(option, "'cpu', 'cuda', 'cuda:1' (or another number) or 'auto'", value, code);
}

/**
 * Resolves a device name to a device. Calls CUDA only if the name is not `cpu`.
 *
 * @throws {CellrouteError} DEVICE_UNAVAILABLE, with the reason and a remedy.
 */
export async function resolveDevice(device: Device, options: CallOptions = {}): Promise<string> {
  if (device === 'cpu') return device;
  const { signal } = options;
  return runJob({ signal }, (call) => native().resolveDevice(device, call));
}

/** Execution target of a network without low precision. */
export async function placeOn(device: Device = 'cpu', options: CallOptions = {}): Promise<ExecutionTarget> {
  return { device: await resolveDevice(checkDevice('device', device), options), tf32: false };
}
