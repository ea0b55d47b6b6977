import type { Intensity } from '../config/shared.js';
import type { ScriptPart } from './script.js';

/** `read_image` and `to_float`: the values of a file, and the network's input by the intensity rule. */
export function imagePart(intensity: Intensity): ScriptPart {
  return {
    imports: [
      ['pathlib', 'Path'],
      ['numpy as np'],
      ['tifffile'],
      ['torch'],
      ['PIL', 'Image', 'ImageOps'],
      ['torchvision.io', 'ImageReadMode', 'decode_image'],
    ],
    text: `${READ_IMAGE}\n\n\n${toFloat(intensity)}`,
  };
}

const READ_IMAGE = `
def read_image(path: str | Path) -> np.ndarray:
    """Reads the first page of an image: [H, W] or [H, W, 3] of uint8, uint16 or float32, upright, without alpha."""
    path = Path(path)
    if path.suffix.lower() in (".tif", ".tiff"):
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            if page.bitspersample > 8:  # Pillow reads colours of 8 bits only
                pixels = page.asarray()
                if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
                    pixels = np.iinfo(pixels.dtype).max - pixels
                return np.moveaxis(pixels, page.axes.index("S"), -1)[..., :3] if "S" in page.axes else pixels
    with Image.open(path) as image:
        if image.mode.startswith("I"):  # grey of 16 bits
            return np.array(image).astype(np.uint16)
        if image.format == "PNG" and "16" in str(image.tile[0][3]):  # Pillow would reduce these to 8 bits
            pixels = decode_image(str(path), ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy()
            return pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., 0]
        is_grey = image.mode in ("1", "L", "LA")
        return np.array(ImageOps.exif_transpose(image).convert("L" if is_grey else "RGB"))`;

const TO_INPUT = `    channels = torch.from_numpy(values).reshape(*values.shape[:2], -1).permute(2, 0, 1)
    return channels.expand(3, -1, -1)  # grey is repeated`;

function toFloat({ kind, low, high }: Intensity): string {
  const finite = `    if not np.isfinite(pixels).all():
        raise ValueError("the image has values that are not finite")
    type_range = np.float32(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)
    values = pixels.astype(np.float32) / type_range`;
  if (kind === 'type-range') {
    return `
def to_float(pixels: np.ndarray) -> torch.Tensor:
    """[3, H, W] float32: values divided by the maximum of their type; floats are expected from 0 to 1."""
${finite}
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"floats must be from 0 to 1, not from {values.min()} to {values.max()}")
${TO_INPUT}`.trim();
  }
  const isMinMax = kind === 'min-max';
  const rule = isMinMax ? 'from the smallest to the largest value' : `from percentile ${low} to ${high}`;
  return `
def to_float(pixels: np.ndarray) -> torch.Tensor:
    """[3, H, W] float32: scaled to 0 to 1 ${rule} of all channels together, and clipped."""
${finite}
    low, high = np.float32(np.percentile(pixels.astype(np.float64), [${isMinMax ? '0, 100' : `${low}, ${high}`}]) / type_range)
    values = (values.clip(low, high) - low) / (high - low + np.float32(1e-6))
${TO_INPUT}`.trim();
}
