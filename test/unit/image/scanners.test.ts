import { decodeImage } from '../../../lib/image/decode.js';
import { openSlide } from '../../../lib/image/slide-open.js';
import { workFolder } from '../../support/data-folder.js';
import { refusal } from '../../support/refusal.js';
import { type TestPage, writeTiff } from '../../support/tiff.js';

// Files whose first page is no image of the specimen, or one of many files.

const folder = workFolder();
const page = (over: Partial<TestPage> = {}): TestPage => ({
  ...{ width: 32, height: 32, tile: 16, values: new Uint8Array(32 * 32).fill(90) },
  ...over,
});
const SCN = '<?xml version="1.0"?>\n<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="1">';
const companion = (name: string) =>
  `<OME:OME xmlns:OME="x" UUID="urn:uuid:1"><OME:BinaryOnly MetadataFile="${name}" UUID="urn:uuid:2"/></OME:OME>`;

test.each<[string, TestPage[], RegExp]>([
  ['Leica SCN', [page({ description: SCN }), page()], /Leica \(SCN\).*vips copy in\.scn/],
  [
    'Ventana BIF',
    [
      page({ description: 'Label Image', texts: { 700: '<iScan Mag="20"/>' } }),
      page({ description: 'level=0 mag=20' }),
    ],
    /Ventana \(BIF\).*vips copy in\.bif/,
  ],
  [
    'Ventana BIF, named on its second page',
    [page({ description: 'Label Image' }), page({ texts: { 700: '<EncodeInfo Ver="2">' } })],
    /Ventana/,
  ],
])('%s is refused with a conversion, whole and by window', async (name, pages, expected) => {
  const path = folder.write(`${name}.tif`, writeTiff(pages));
  for (const read of [() => decodeImage(path), () => decodeImage(path, { page: 1 }), () => openSlide(path)]) {
    const error = await refusal(read());
    expect([error.code, error.message]).toEqual(['IMAGE_UNSUPPORTED', expect.stringMatching(expected)]);
  }
});

test('XMP other than the XML of a scanner is accepted', async () => {
  const bytes = writeTiff([page({ texts: { 700: '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>' } })]);
  expect((await decodeImage(bytes)).width).toBe(32);
});

test('a file of an OME data set with a companion is read with a notice that names it', async () => {
  const { source } = await decodeImage(writeTiff([page({ description: companion('plate.companion.ome') })]));
  expect(source!.notices).toEqual([expect.stringMatching(/plate\.companion\.ome describes/)]);
});

test('the companion itself is refused by name', async () => {
  const xml = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"></OME>';
  const error = await refusal(decodeImage(Buffer.from(xml)));
  expect([error.code, error.message]).toEqual([
    'IMAGE_UNSUPPORTED',
    expect.stringMatching(/OME-XML without pixels.*TIFF files/),
  ]);
});
