import { readImageInfo } from '../../../lib/image/decode.js';
import { type TestPage, writeTiff } from '../../support/tiff.js';

const page = (more: Partial<TestPage>): TestPage => ({
  width: 4,
  height: 3,
  values: new Uint8Array(12),
  ...more,
});
const resolution = (x: number, y = x, unit?: number): Partial<TestPage> => ({
  ratios: { 282: x, 283: y },
  ...(unit !== undefined && { tags: { 296: [unit] } }),
});
const sizeOf = async (more: Partial<TestPage>) =>
  (await readImageInfo(writeTiff([page(more)]))).source.pixelSize;
const ome = (fields: string) =>
  `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels DimensionOrder="XYCZT" SizeX="4" SizeY="3" SizeC="1" SizeZ="1" SizeT="1" ${fields}/></Image></OME>`;

test.each([
  ['20,000 pixels per centimetre', resolution(20_000, 20_000, 3), 0.5],
  ['dots per inch, the unit where none is stated', resolution(25_400), 1],
  ['a resolution for printing', resolution(300, 300, 2), undefined],
  ['no unit', resolution(2, 2, 1), undefined],
  ['pixels that are not square', resolution(20_000, 10_000, 3), undefined],
  ['no resolution', {}, undefined],
  ['a resolution of 0', resolution(0, 0, 3), undefined],
  ['ImageJ', { ...resolution(4, 4, 1), description: 'ImageJ=1.54\nunit=micron\n' }, 0.25],
  ['ImageJ, with its escape', { ...resolution(2, 2, 1), description: 'ImageJ=1.54\nunit=\\u00B5m\n' }, 0.5],
  ['ImageJ in nanometres', { ...resolution(0.01, 0.01, 1), description: 'ImageJ=1.54\nunit=nm\n' }, 0.1],
  ['ImageJ in pixels', { ...resolution(1, 1, 1), description: 'ImageJ=1.54\nunit=pixel\n' }, undefined],
  ['OME-XML in micrometres', { description: ome('PhysicalSizeX="0.65" PhysicalSizeY="0.65"') }, 0.65],
  [
    'OME-XML in nanometres',
    {
      description: ome(
        'PhysicalSizeX="325" PhysicalSizeXUnit="nm" PhysicalSizeY="325" PhysicalSizeYUnit="nm"',
      ),
    },
    0.325,
  ],
  [
    'OME-XML in pixels',
    {
      description: ome(
        'PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1" PhysicalSizeYUnit="pixel"',
      ),
    },
    undefined,
  ],
  [
    'OME-XML without a size, whatever the tags say',
    { ...resolution(20_000, 20_000, 3), description: ome('') },
    undefined,
  ],
] as const)('%s', async (_, more, expected) => {
  const found = await sizeOf(more);
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toBeCloseTo(expected, 6);
});
