import type { RoutedSegmentation } from '../inference/result.js';

/** The predicted type with its probability, for the line about an image; nothing if the model has one type. */
export function typePhrase({
  cellType,
  probabilities,
}: Pick<RoutedSegmentation, 'cellType' | 'probabilities'>): string {
  if (Object.keys(probabilities).length === 1) return '';
  return `${cellType} (${probabilities[cellType]!.toFixed(3)}), `;
}
