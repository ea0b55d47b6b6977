import { decodeImage } from '../../lib/image/decode.js';
import { Masks } from '../../lib/mask/masks.js';
import { measuredColumns } from '../../lib/measure/columns.js';
import { measure } from '../../lib/measure/measure.js';
import { dataPath, describeGolden, goldenJson, hasImage } from '../support/golden.js';
import { resultOf } from '../support/result.js';

interface GoldenMeasurements {
  images: Record<string, { columns: Record<string, number[]>; height?: number; labels?: number[] }>;
}

async function labelsOf(name: string, { height, labels }: GoldenMeasurements['images'][string]) {
  if (labels && height) {
    return { labels: Uint16Array.from(labels), size: { width: labels.length / height, height } };
  }
  const { data, width, height: rows } = await decodeImage(dataPath(name));
  return { labels: data as Uint16Array, size: { width, height: rows } };
}

describeGolden('measurements as scikit-image has them', { goldens: ['measurements.json'] }, () => {
  const { images } = goldenJson<GoldenMeasurements>('measurements.json');

  test.each(Object.keys(images).filter((name) => images[name]!.labels || hasImage(name)))(
    '%s',
    async (name) => {
      const golden = images[name]!;
      const { labels, size } = await labelsOf(name, golden);
      const { masks, ids } = Masks.fromLabels(labels, size);
      expect([...ids]).toEqual(golden.columns.label);
      const image = golden.labels ? undefined : dataPath(name.replace('labels', 'images'));
      const measurements = await measure(resultOf(masks), image);
      const columns = new Map(
        measuredColumns(measurements, 'skimage').map((column) => [column.name, column]),
      );
      const { label: _, ...expected } = golden.columns;
      expect(Object.keys(expected).filter((column) => !columns.has(column))).toEqual([]);
      const wrong: string[] = [];
      for (const [column, values] of Object.entries(expected)) {
        for (const [cell, value] of values.entries()) {
          // Where both axes are equal, only rounding decides about a direction.
          const axes = ['majorAxis', 'minorAxis'] as const;
          const [long, short] = axes.map((axis) => measurements.shapes[axis][cell]!) as [number, number];
          if (column === 'orientation' && long - short < 1e-6) continue;
          const own = columns.get(column)!.value(cell);
          // Square roots of a difference that is 0 but for rounding.
          const tolerance = 1e-9 * Math.max(1, Math.abs(value));
          const loose = column === 'eccentricity' || column === 'axis_minor_length' ? 1e-6 : tolerance;
          if (!(Math.abs(own - value) <= loose)) wrong.push(`cell ${cell} ${column}: ${own}, not ${value}`);
        }
      }
      expect(wrong).toEqual([]);
    },
  );
});
