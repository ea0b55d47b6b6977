import type { RoutedEnsemble } from '../inference/ensemble.js';

/** Description of an ensemble for clients. */
export function modelOf(name: string, ensemble: RoutedEnsemble) {
  const { classifier, segmenters, thresholds, fallback, cellTypes } = ensemble;
  return {
    name,
    cellTypes,
    classifier: { architecture: `resnet${classifier.config.backbone.depth}`, device: classifier.device },
    segmenters: Object.fromEntries(
      Object.entries(segmenters).map(([type, segmenter]) => [
        type,
        segmenter && {
          classNames: segmenter.config.classNames,
          precision: segmenter.precision,
          device: segmenter.device,
          ...(thresholds[type] && { thresholds: thresholds[type] }),
        },
      ]),
    ),
    ...(fallback !== undefined && { fallback }),
  };
}
