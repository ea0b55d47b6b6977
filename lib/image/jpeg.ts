import { CellrouteError } from '../errors.js';

const JPEG_LS = 'JPEG-LS';

/** Markers of JPEG frames (SOF) with what libjpeg does not decode. */
const UNREAD_FRAMES: Readonly<Record<number, string>> = {
  195: 'lossless JPEG',
  197: 'hierarchical JPEG',
  198: 'hierarchical JPEG',
  199: 'hierarchical lossless JPEG',
  203: 'lossless JPEG with arithmetic coding',
  205: 'hierarchical JPEG',
  206: 'hierarchical JPEG',
  207: 'hierarchical lossless JPEG',
  247: 'JPEG-LS',
};
const FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2, 0xc9, 0xca]);
/** Markers without a length: TEM and restart markers. */
const isBare = (marker: number): boolean => marker === 1 || (marker & 0xf8) === 0xd0;

/**
 * Refuses kinds of JPEG that are not decoded, which are not damaged.
 *
 * @throws {CellrouteError} IMAGE_UNSUPPORTED with a command that converts the file.
 */
export function checkJpegFrame(bytes: Uint8Array): void {
  for (let at = 2; at + 4 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    const kind = UNREAD_FRAMES[marker];
    if (kind !== undefined) throw unsupported(kind);
    if (FRAMES.has(marker)) {
      const bits = bytes[at + 4]!;
      if (bits !== 8) throw unsupported(`JPEG with ${bits} bits per sample`);
      return;
    }
    if (marker === 0xff) at++;
    else at += 2 + (isBare(marker) ? 0 : bytes[at + 2]! * 256 + bytes[at + 3]!);
  }
}

const unsupported = (kind: string): CellrouteError =>
  new CellrouteError(
    'IMAGE_UNSUPPORTED',
    `The JPEG cannot be used: it is ${kind}. To convert it: pip install tifffile imagecodecs && python -c "import ` +
      `imagecodecs as c, tifffile as t; t.imwrite('out.tif', c.${kind === JPEG_LS ? 'jpegls' : 'jpeg'}_decode(open('in.jpg', 'rb').read()))"`,
    { expected: 'baseline or progressive JPEG with 8 bits per sample', got: kind },
  );
