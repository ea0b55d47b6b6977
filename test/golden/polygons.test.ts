import { Masks } from '../../lib/mask/masks.js';
import { describeGolden, goldenJson } from '../support/golden.js';

interface GoldenPolygons {
  masks: { size: [height: number, width: number]; polygons: number[][]; coco: string }[];
}

describeGolden("polygons as pycocotools' frPyObjects draws them", { goldens: ['polygons.json'] }, () => {
  test('pixel for pixel, several polygons together', () => {
    const { masks } = goldenJson<GoldenPolygons>('polygons.json');
    expect(masks.length).toBeGreaterThan(0);
    for (const { size, polygons, coco } of masks) {
      const drawn = Masks.fromPolygons([polygons], { height: size[0], width: size[1] });
      expect(drawn.toCoco()).toEqual([coco]);
    }
  });
});
