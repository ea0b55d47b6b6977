import { quPathGeoJson } from '../../lib/export/geojson.js';
import { imageJRois } from '../../lib/export/imagej.js';
import { Masks } from '../../lib/mask/masks.js';
import { resultOf } from '../support/result.js';

const masks = Masks.fromPolygons([[[2, 3, 7, 3, 7, 5, 2, 5]]], { width: 20, height: 10 });
const tiles = { count: 1, skipped: 0, resumed: 0 };
const reduced = (downsample: number) => ({ ...resultOf(masks), slide: { level: 1, downsample, tiles } });

const ringOf = (result: Parameters<typeof quPathGeoJson>[0]) =>
  JSON.parse(quPathGeoJson(result)).features[0].geometry.coordinates[0];

test('outlines of a reduced level are in pixels of the full resolution', () => {
  const ring = [
    [2, 3],
    [7, 3],
    [7, 5],
    [2, 5],
    [2, 3],
  ];
  expect(ringOf(resultOf(masks))).toEqual(ring);
  expect(ringOf(reduced(4))).toEqual(ring.map(([x, y]) => [4 * x!, 4 * y!]));
  // Levels seldom have exactly half the sides; hundredths of a pixel are kept.
  expect(ringOf(reduced(2.0013))[2]).toEqual([14.01, 10.01]);
});

test('so are ROIs, and the bounds in their headers', async () => {
  const parts: Uint8Array[] = [];
  for await (const part of imageJRois(reduced(4))) parts.push(part);
  // The header of the entry, and the ROI.
  const roi = Buffer.from(parts[1]!);
  expect([8, 10, 12, 14].map((at) => roi.readInt16BE(at))).toEqual([12, 8, 20, 28]);
  const count = roi.readUInt16BE(16);
  expect(count).toBe(4);
  const floats = Array.from({ length: 2 * count }, (_, i) => roi.readFloatBE(64 + 4 * count + 4 * i));
  expect(floats).toEqual([8, 28, 28, 8, 12, 12, 20, 20]);
});
