import { Masks } from '../../lib/mask/masks.js';
import { describeGolden, goldenJson } from '../support/golden.js';
import { random, runReference, testReference } from '../support/weights.js';

interface GoldenPolygons {
  masks: { size: [height: number, width: number]; polygons: number[][]; coco: string }[];
}

describeGolden("polygons equal pycocotools' frPyObjects", { goldens: ['polygons.json'] }, () => {
  test('pixel by pixel, with several polygons per mask', () => {
    const { masks } = goldenJson<GoldenPolygons>('polygons.json');
    expect(masks.length).toBeGreaterThan(0);
    for (const { size, polygons, coco } of masks) {
      const drawn = Masks.fromPolygons([polygons], { height: size[0], width: size[1] });
      expect(drawn.toCoco()).toEqual([coco]);
    }
  });
});

testReference('random polygons, compared with pycocotools', async () => {
  const next = random(11);
  const below = (limit: number) => Math.floor(next() * limit);
  const cases = Array.from({ length: 500 }, (_, i) => {
    const size: [number, number] = [1 + below(60), 1 + below(60)];
    const [from, span] = [
      [0, 1],
      [-0.3, 1.6],
      [-30, 60],
    ][i % 3] as [number, number];
    const digits = [0, 2, 15][below(3)]!;
    const polygon = () =>
      Array.from({ length: 2 * (3 + below(9)) }, (__, k) =>
        Number(((from + span * next()) * size[1 - (k % 2)]!).toFixed(digits)),
      );
    return { size, polygons: Array.from({ length: 1 + below(3) }, polygon) };
  });
  const script = `
import json, sys
import numpy as np
from pycocotools import mask
answers = []
for case in json.loads(sys.argv[1]):
    drawn = mask.decode(mask.merge(mask.frPyObjects(case["polygons"], *case["size"])))
    answers.append(mask.encode(np.asfortranarray(drawn))["counts"].decode())
print(json.dumps(answers))`;
  const answers: string[] = [];
  // In batches, because the length of a command line is limited.
  for (let i = 0; i < cases.length; i += 50) {
    answers.push(...runReference<string[]>(script, JSON.stringify(cases.slice(i, i + 50))));
  }
  const drawn = cases.map(
    ({ size: [height, width], polygons }) => Masks.fromPolygons([polygons], { height, width }).toCoco()[0],
  );
  expect(drawn).toEqual(answers);
});
