import { damaged, type Where } from './errors.js';
import { isTensor, PyDict, PyObject, PySet, type TensorRef, type Value } from './pickle/values.js';

/** Maximum depth of nested modules; torchvision's deepest is 6. */
const MAX_DEPTH = 64;
const MAX_VISITS = 200_000;
const MAX_NAME = 1024;

/** Whether a pickled object is a torch.nn.Module. */
export const isModule = (value: Value | undefined): value is PyObject =>
  value instanceof PyObject && value.attribute('_modules') instanceof PyDict;

/** Tensors of a pickled torch.nn.Module, with the names and in the order of its `state_dict()`. */
export function moduleTensors(root: PyObject, where: Where): [name: string, tensor: TensorRef][] {
  const found: [string, TensorRef][] = [];
  let visits = 0;
  const visit = (module: PyObject, prefix: string, depth: number): void => {
    // In a malicious pickle, a module may contain itself or be shared by many.
    if (depth > MAX_DEPTH || ++visits > MAX_VISITS || prefix.length > MAX_NAME)
      throw damaged(where, 'its modules are nested without end');
    const transient = module.attribute('_non_persistent_buffers_set');
    const passing = new Set(transient instanceof PySet ? transient.items : []);
    for (const [name, value] of named(module, '_parameters'))
      if (isTensor(value)) found.push([prefix + name, value]);
    for (const [name, value] of named(module, '_buffers')) {
      if (isTensor(value) && !passing.has(name)) found.push([prefix + name, value]);
    }
    for (const [name, child] of named(module, '_modules')) {
      if (child instanceof PyObject) visit(child, `${prefix}${name}.`, depth + 1);
    }
    if (found.length > MAX_VISITS) throw damaged(where, 'a module has too many tensors');
  };
  visit(root, '', 0);
  return found;
}

function* named(module: PyObject, attribute: string): Iterable<[string, Value]> {
  const dict = module.attribute(attribute);
  if (!(dict instanceof PyDict)) return;
  for (const [name, value] of dict.entries())
    if (typeof name === 'string' && name.length <= MAX_NAME) yield [name, value];
}
