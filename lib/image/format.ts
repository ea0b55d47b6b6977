/** Format of an image file, recognised by its first bytes. */
export type ImageFormat = 'PNG' | 'JPEG' | 'WebP' | 'TIFF';

/** Extensions of image files that are searched in folders, in lower case. */
export const imageEndings: readonly string[] = ['.png', '.jpg', '.jpeg', '.tif', '.tiff', '.webp'];

/** A recognised format: `supported` if it can be decoded, otherwise only its name. Unknown bytes have neither. */
export interface Recognised {
  supported?: ImageFormat;
  name?: string;
  /** A command that converts the format, if one is known. */
  remedy?: string;
}

/** Bio-Formats' command line tools, which read formats of microscopes. */
const BFCONVERT = 'convert it with Bio-Formats: bfconvert -series 0 in out.ome.tiff';

// Bytes at an offset, as Latin-1 text. The order matters if one signature is a prefix of another.
const signatures: readonly {
  at: number;
  bytes: string;
  name: string;
  supported?: ImageFormat;
  remedy?: string;
}[] = [
  { at: 0, bytes: '\x89PNG\r\n\x1a\n', name: 'PNG', supported: 'PNG' },
  { at: 0, bytes: '\xff\xd8\xff', name: 'JPEG', supported: 'JPEG' },
  { at: 8, bytes: 'WEBP', name: 'WebP', supported: 'WebP' },
  { at: 0, bytes: 'II*\0', name: 'TIFF', supported: 'TIFF' },
  { at: 0, bytes: 'MM\0*', name: 'TIFF', supported: 'TIFF' },
  { at: 0, bytes: 'II+\0', name: 'BigTIFF', supported: 'TIFF' },
  { at: 0, bytes: 'MM\0+', name: 'BigTIFF', supported: 'TIFF' },
  {
    at: 0,
    bytes: 'GIF8',
    name: 'GIF',
    remedy: 'convert it: ffmpeg -i in.gif -fps_mode passthrough frame-%d.png',
  },
  { at: 0, bytes: 'BM', name: 'BMP' },
  { at: 0, bytes: '%PDF', name: 'PDF' },
  { at: 0, bytes: '%!PS', name: 'PostScript' },
  { at: 0, bytes: '8BPS', name: 'Photoshop' },
  { at: 4, bytes: 'ftypavif', name: 'AVIF' },
  { at: 4, bytes: 'ftyp', name: 'HEIF or video' },
  { at: 4, bytes: 'jP  ', name: 'JPEG 2000', remedy: 'convert it: opj_decompress -i in.jp2 -o out.tif' },
  {
    at: 0,
    bytes: '\xff\x4f\xff\x51',
    name: 'JPEG 2000',
    remedy: 'convert it: opj_decompress -i in.jp2 -o out.tif',
  },
  { at: 4, bytes: 'JXL ', name: 'JPEG XL' },
  { at: 0, bytes: '\xff\x0a', name: 'JPEG XL' },
  { at: 0, bytes: 'II\xbc', name: 'JPEG XR' },
  { at: 0, bytes: 'v/1\x01', name: 'OpenEXR' },
  { at: 0, bytes: 'ZISRAWFILE', name: 'Zeiss CZI', remedy: BFCONVERT },
  { at: 0, bytes: '\xda\xce\xbe\x0a', name: 'Nikon ND2', remedy: BFCONVERT },
  { at: 0, bytes: '\x70\0\0\0', name: 'Leica LIF', remedy: BFCONVERT },
  { at: 0, bytes: '\xd0\xcf\x11\xe0', name: 'OLE (Olympus OIB, Zeiss ZVI)', remedy: BFCONVERT },
  { at: 0, bytes: '\x89HDF', name: 'HDF5' },
  { at: 0, bytes: '\x93NUMPY', name: 'NumPy' },
  { at: 128, bytes: 'DICM', name: 'DICOM' },
  { at: 0, bytes: 'PK\x03\x04', name: 'ZIP' },
  { at: 0, bytes: '\x1f\x8b', name: 'gzip' },
  { at: 0, bytes: 'data:image/', name: 'data URL (text)' },
];

export function recognise(bytes: Uint8Array): Recognised {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 1024)).toString(
    'latin1',
  );
  for (const { at, bytes: signature, name, supported, remedy } of signatures) {
    if (!head.startsWith(signature, at)) continue;
    return { name, ...(supported && { supported }), ...(remedy !== undefined && { remedy }) };
  }
  // Never passed to the decoder, which would render an SVG and load its references.
  if (/<(\w+:)?OME[\s>]/.test(head)) {
    return { name: 'OME-XML without pixels', remedy: 'pass the TIFF files that it names' };
  }
  if (/^(\xef\xbb\xbf)?\s*</.test(head)) return { name: /<svg/i.test(head) ? 'SVG' : 'XML or HTML' };
  if (/^P[1-7]\s/.test(head)) return { name: 'PNM' };
  return {};
}
