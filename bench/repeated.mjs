import sharp from 'sharp';

/** An image file, grey, repeated in both directions up to `side` x `side` pixels. */
export async function repeated(file, side) {
  const { data, info } = await sharp(file).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      pixels[y * side + x] = data[((y % info.height) * info.width + (x % info.width)) * info.channels];
    }
  }
  return { data: pixels, width: side, height: side, channels: 1 };
}
