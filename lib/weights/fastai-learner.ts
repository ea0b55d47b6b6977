import { damaged } from './errors.js';
import { isModule } from './modules.js';
import { PyDict, PyList, PyObject, PySet, PyTuple, type Value } from './pickle/values.js';

/** Whether a pickled value is the learner of fastai's `learn.export()`. */
export const isFastaiLearner = (value: Value): value is PyObject =>
  value instanceof PyObject && /^fastai\..*Learner$/.test(value.callee);

/** Returns the learner's torch.nn.Module. */
export function learnerModel(learner: PyObject, file: string): PyObject {
  const model = learner.attribute('model');
  if (!isModule(model)) throw damaged({ file }, 'the fastai learner has no model');
  return model;
}

/** Returns the data loader with which `learn.predict` prepares images: that of the validation set, or the only one. */
export function predictionLoader(learner: PyObject): PyObject | undefined {
  const dls = learner.attribute('dls');
  const loaders = dls instanceof PyObject ? itemsOf(dls.attribute('loaders')) : [];
  const loader = loaders[1] ?? loaders[0];
  return loader instanceof PyObject ? loader : undefined;
}

/** Transforms of a loader's pipeline (`after_item` or `after_batch`), in fastai's order. */
export function pipeline(loader: PyObject | undefined, name: string): PyObject[] {
  const stage = loader?.attribute(name);
  const transforms = stage instanceof PyObject ? itemsOf(stage.attribute('fs')) : [];
  return transforms.filter((transform) => transform instanceof PyObject);
}

/** Name of a class without its module. */
export const className = ({ callee }: PyObject): string => callee.slice(callee.lastIndexOf('.') + 1);

/** Items of a list, a tuple, fastcore's L, or a tuple inside a tuple (fastuple). */
export function itemsOf(value: Value | undefined): readonly Value[] {
  if (value instanceof PyList || value instanceof PyTuple) return value.items;
  if (!(value instanceof PyObject)) return [];
  const held = value.attribute('items');
  if (held instanceof PyList || held instanceof PyTuple) return held.items;
  if (value.items.length > 0) return value.items;
  const [first] = value.args instanceof PyTuple ? value.args.items : [];
  return first instanceof PyTuple || first instanceof PyList ? first.items : [];
}

/** Breadth-first search for an object of a class inside a value. */
export function findObject(root: Value, name: string): PyObject | undefined {
  const seen = new Set<Value>([root]);
  // Iteration of a Set includes entries that are added during the loop.
  for (const value of seen) {
    if (value instanceof PyObject && className(value) === name) return value;
    for (const child of partsOf(value)) if (typeof child === 'object') seen.add(child);
  }
  return undefined;
}

function* partsOf(value: Value): Iterable<Value> {
  if (value instanceof PyList || value instanceof PyTuple || value instanceof PySet) yield* value.items;
  else if (value instanceof PyDict) for (const [, child] of value.entries()) yield child;
  else if (value instanceof PyObject) {
    yield value.args;
    yield value.state;
    yield* value.items;
    for (const [, child] of value.entries) yield child;
  }
}
