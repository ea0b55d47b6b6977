import { checkString, refuse } from '../check.js';
import { type LoadEnsembleOptions, RoutedEnsemble } from './ensemble.js';

/** Options of what works with an ensemble: one that is loaded, or a path and how to load it. */
interface ModelSource extends Pick<LoadEnsembleOptions, 'precision' | 'device'> {
  ensemble?: RoutedEnsemble | undefined;
  model?: string | undefined;
}

/**
 * Refuses options to load a model beside a loaded ensemble.
 *
 * @throws {CellrouteError} INVALID_ARGUMENT
 */
export function checkModelSource(options: ModelSource): void {
  const { ensemble, model } = options;
  if (model !== undefined) checkString('model', model);
  if (ensemble === undefined) return;
  if (!(ensemble instanceof RoutedEnsemble)) throw refuse('ensemble', 'a RoutedEnsemble', ensemble);
  for (const key of ['model', 'precision', 'device'] as const) {
    if (options[key] !== undefined) throw refuse(key, 'nothing, as ensemble is loaded already', options[key]);
  }
}
