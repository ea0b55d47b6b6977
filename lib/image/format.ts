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
export const BFCONVERT = 'convert it with Bio-Formats: bfconvert -series 0 in out.ome.tiff';

/** Each frame as one image. */
const FRAMES = 'convert it: ffmpeg -i in -fps_mode passthrough frame-%d.png';
const UNPACK = 'unpack it';
const JPEG_2000 = 'convert it: opj_decompress -i in.jp2 -o out.tif';

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
  { at: 0, bytes: 'GIF8', name: 'GIF', remedy: FRAMES },
  { at: 0, bytes: 'BM', name: 'BMP' },
  { at: 0, bytes: '%PDF', name: 'PDF' },
  { at: 0, bytes: '%!PS', name: 'PostScript' },
  { at: 0, bytes: '8BPS', name: 'Photoshop' },
  { at: 4, bytes: 'ftypavif', name: 'AVIF' },
  { at: 4, bytes: 'ftyp', name: 'HEIF or video' },
  { at: 4, bytes: 'jP  ', name: 'JPEG 2000', remedy: JPEG_2000 },
  { at: 0, bytes: '\xff\x4f\xff\x51', name: 'JPEG 2000', remedy: JPEG_2000 },
  { at: 4, bytes: 'JXL ', name: 'JPEG XL' },
  { at: 0, bytes: '\xff\x0a', name: 'JPEG XL' },
  { at: 0, bytes: 'II\xbc', name: 'JPEG XR' },
  { at: 0, bytes: 'v/1\x01', name: 'OpenEXR' },
  { at: 0, bytes: 'ZISRAWFILE', name: 'Zeiss CZI', remedy: BFCONVERT },
  { at: 0, bytes: '\xda\xce\xbe\x0a', name: 'Nikon ND2', remedy: BFCONVERT },
  { at: 0, bytes: '\x70\0\0\0', name: 'Leica LIF', remedy: BFCONVERT },
  { at: 0, bytes: '\xd0\xcf\x11\xe0', name: 'OLE (Olympus OIB, Zeiss ZVI)', remedy: BFCONVERT },
  { at: 0, bytes: 'OLYMPUSRAWFORMAT', name: 'Olympus OIR', remedy: BFCONVERT },
  {
    at: 0,
    bytes: 'SIS\0',
    name: 'the pixels of an Olympus slide (ETS)',
    remedy: 'convert the .vsi file that it belongs to',
  },
  { at: 0, bytes: '\0\0\0\x03', name: 'Gatan DM3', remedy: BFCONVERT },
  { at: 0, bytes: '\0\0\0\x04', name: 'Gatan DM4', remedy: BFCONVERT },
  { at: 96, bytes: '\xa0\xc0', name: 'DeltaVision', remedy: BFCONVERT },
  { at: 96, bytes: '\xc0\xa0', name: 'DeltaVision', remedy: BFCONVERT },
  { at: 208, bytes: 'MAP ', name: 'MRC', remedy: BFCONVERT },
  { at: 0, bytes: '\t\r\nics_version', name: 'ICS', remedy: BFCONVERT },
  { at: 0, bytes: 'NRRD', name: 'NRRD', remedy: BFCONVERT },
  { at: 344, bytes: 'n+1\0', name: 'NIfTI', remedy: BFCONVERT },
  { at: 344, bytes: 'ni1\0', name: 'NIfTI', remedy: BFCONVERT },
  { at: 0, bytes: 'SIMPLE  =', name: 'FITS', remedy: BFCONVERT },
  { at: 0, bytes: '\x89HDF', name: 'HDF5', remedy: 'export it as TIFF with the software that wrote it' },
  {
    at: 0,
    bytes: '\x93NUMPY',
    name: 'NumPy',
    remedy:
      "convert it: pip install tifffile && python -c \"import numpy, tifffile; tifffile.imwrite('out.tif', numpy.load('in.npy'))\"",
  },
  { at: 128, bytes: 'DICM', name: 'DICOM', remedy: BFCONVERT },
  { at: 8, bytes: 'AVI ', name: 'AVI video', remedy: FRAMES },
  { at: 0, bytes: '\x1a\x45\xdf\xa3', name: 'Matroska or WebM video', remedy: FRAMES },
  { at: 0, bytes: 'PK\x03\x04', name: 'ZIP', remedy: UNPACK },
  { at: 0, bytes: '\x1f\x8b', name: 'gzip', remedy: UNPACK },
  { at: 0, bytes: 'BZh', name: 'bzip2', remedy: UNPACK },
  { at: 0, bytes: '7z\xbc\xaf', name: '7-Zip', remedy: UNPACK },
  { at: 0, bytes: 'Rar!', name: 'RAR', remedy: UNPACK },
  { at: 257, bytes: 'ustar', name: 'tar', remedy: UNPACK },
  {
    at: 0,
    bytes: 'version https://git-lfs',
    name: 'a pointer of Git LFS',
    remedy: 'fetch the file with git lfs pull',
  },
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
