import { toCocoBoxes } from '../../lib/mask/boxes.js';
import { Masks } from '../../lib/mask/masks.js';
import { describeGolden, goldenJson } from '../support/golden.js';

interface GoldenMask {
  size: [height: number, width: number];
  kaggle: string;
  coco: string;
  coco_counts: number[];
  area: number;
  bbox: number[];
}

interface GoldenRle {
  masks: GoldenMask[];
  iou: { a: string[]; b: string[]; size: [number, number]; iou: number[][]; iou_crowd: number[][] };
}

describeGolden('masks equal pycocotools', { goldens: ['rle.json'] }, () => {
  const golden = () => goldenJson<GoldenRle>('rle.json');

  test('all encodings, areas and boxes', () => {
    const { masks } = golden();
    expect(masks.length).toBeGreaterThan(0);
    for (const mask of masks) {
      const size = { height: mask.size[0], width: mask.size[1] };
      const read = [
        Masks.fromKaggle([mask.kaggle], size),
        Masks.fromCoco([mask.coco], size),
        Masks.fromCounts([mask.coco_counts], size),
      ];
      read.push(Masks.encode(read[0]!.decode(), size));
      for (const one of read) {
        expect(one.toKaggle()).toEqual([mask.kaggle]);
        expect(one.toCoco()).toEqual([mask.coco]);
        expect(one.toCounts().map((counts) => [...counts])).toEqual([mask.coco_counts]);
        expect([...one.areas()]).toEqual([mask.area]);
        expect([...toCocoBoxes(one.boxes())]).toEqual(mask.bbox);
      }
    }
  });

  test('IoU, bit-identical, with and without crowds', () => {
    const { iou } = golden();
    const size = { height: iou.size[0], width: iou.size[1] };
    const a = Masks.fromCoco(iou.a, size);
    const b = Masks.fromCoco(iou.b, size);
    expect([...a.iou(b)]).toEqual(iou.iou.flat());
    expect([...a.iou(b, { crowd: iou.b.map(() => true) })]).toEqual(iou.iou_crowd.flat());
    expect([...a.iou(b, { crowd: iou.b.map(() => 0) })]).toEqual(iou.iou.flat());
  });
});
