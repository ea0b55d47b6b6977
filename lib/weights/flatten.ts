import { damaged, type Where } from './errors.js';
import { isModule, moduleTensors } from './modules.js';
import {
  isStorage,
  isTensor,
  PyDict,
  PyGlobal,
  PyList,
  PyObject,
  PySet,
  PyTuple,
  type TensorRef,
  type Value,
} from './pickle/values.js';
import type { OtherEntry } from './table.js';

const MAX_DEPTH = 64;
const MAX_VISITS = 200_000;
const MAX_NAME = 1024;
/** Lists with more items are described by their length. A random generator's state has 625 numbers. */
const MAX_LISTED_ITEMS = 16;

/** Keys under which training scripts store the state dict, most likely first. */
const STATE_DICT_KEYS = [
  'model',
  'state_dict',
  'model_state_dict',
  'model_state',
  'net',
  'network',
  'module',
  'weights',
];

export interface Flattened {
  tensors: [name: string, tensor: TensorRef][];
  /** Prefix of the tensor names, with its dot. */
  prefix: string;
  others: OtherEntry[];
}

/**
 * Finds the state dict in a checkpoint and gives its tensors dotted names. All other entries are listed with a short
 * description.
 */
export function flatten(root: Value, where: Where): Flattened {
  const prefix = stateDictPrefix(root);
  const tensors: [string, TensorRef][] = [];
  const others: OtherEntry[] = [];
  let visits = 0;

  const visit = (value: Value, name: string, depth: number): void => {
    // A list may contain itself, so the number of visits is limited.
    if (++visits > MAX_VISITS || name.length > MAX_NAME)
      throw damaged(where, 'its values are nested without end');
    if (isTensor(value)) {
      if (name.startsWith(prefix)) tensors.push([name.slice(prefix.length) || 'tensor', value]);
      else others.push({ name, value: `tensor ${value.dtype} [${value.shape.join(', ')}]` });
    } else if (isModule(value)) {
      for (const [inner, tensor] of moduleTensors(value, where)) visit(tensor, join(name, inner), depth);
    } else {
      const children = depth < MAX_DEPTH ? childrenOf(value) : undefined;
      if (!children) others.push({ name: name || 'value', value: describe(value) });
      else for (const [key, child] of children) visit(child, join(name, key), depth + 1);
    }
  };
  visit(root, '', 0);
  return { tensors, prefix, others };
}

const join = (name: string, key: string) => (name === '' ? key : `${name}.${key}`);

function stateDictPrefix(root: Value): string {
  if (!(root instanceof PyDict)) return '';
  // Also where tensors lie beside it, such as the loss of the last step.
  const key = STATE_DICT_KEYS.find((candidate) => {
    const value = root.get(candidate);
    return (value instanceof PyDict && hasTensors(value)) || isModule(value);
  });
  return key === undefined ? '' : `${key}.`;
}

function hasTensors(dict: PyDict): boolean {
  for (const [, value] of dict.entries()) if (isTensor(value)) return true;
  return false;
}

/** Named values inside a value; undefined if it is not searched. */
function childrenOf(value: Value): [string, Value][] | undefined {
  if (value instanceof PyDict && value.size > 0) {
    return Array.from(value.entries(), ([key, child]) => [
      typeof key === 'string' ? key : describe(key),
      child,
    ]);
  }
  if (value instanceof PyObject && value.state instanceof PyDict) return childrenOf(value.state);
  const items = value instanceof PyList || value instanceof PyTuple ? value.items : [];
  if (items.length === 0) return undefined;
  const worth =
    items.length <= MAX_LISTED_ITEMS
      ? items.some((item) => typeof item === 'object' && item !== null)
      : items.some(isTensor);
  return worth ? items.map((child, i) => [String(i), child]) : undefined;
}

/** Describes a value in a few words. */
export function describe(value: Value): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value).slice(0, 40);
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (value instanceof PyList || value instanceof PyTuple)
    return `${value instanceof PyList ? 'list' : 'tuple'} of ${value.items.length}`;
  if (value instanceof PySet) return `set of ${value.items.length}`;
  if (value instanceof PyDict) return `dict of ${value.size}`;
  if (value instanceof PyGlobal) return `<${value.name}>`;
  if (value instanceof PyObject) return `<${value.callee} object>`;
  return isStorage(value)
    ? `storage of ${value.length}`
    : `tensor ${value.dtype} [${value.shape.join(', ')}]`;
}
