"""Writes the small images in test/golden/images, and values.json with their values as Pillow and tifffile read them.

    pip install pillow tifffile imagecodecs numpy
    python test/golden/make/images.py

Expected 8-bit values are those of Image.open(file).convert("RGB") (or "L" for grey files), read back from the file;
those of 16 bits and floats, which Pillow sometimes reduces, are those of the written array.
"""

import base64
import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageCms, ImageOps

FOLDER = Path(__file__).resolve().parent.parent / "images"
HEIGHT, WIDTH = 17, 19

rng = np.random.default_rng(7)
rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
rgb8 = np.stack([rows * 13, columns * 12, (rows * columns) % 256], axis=2).astype(np.uint8)
rgb8[3:6, 4:9] = rng.integers(0, 256, (3, 5, 3))
grey8 = rgb8[..., 2]
rgb16 = (rgb8.astype(np.uint16) * 251 + rng.integers(0, 200, rgb8.shape)).astype(np.uint16)
grey16 = rgb16[..., 1]
alpha8 = ((rows + columns) % 3 * 127).astype(np.uint8)  # 0, 127 and 254: pixels with alpha 0 have a colour
alpha16 = alpha8.astype(np.uint16) * 258
rgb_float = (rng.standard_normal((HEIGHT, WIDTH, 3)) * 100).astype(np.float32)
# Smooth, so that its JPEG has small errors
smooth = np.stack([rows * 9 + 40, columns * 8 + 30, 200 - rows * 4], axis=2).astype(np.uint8)

values = {}
arrays = {}


def note(name, array, tolerance=0, page=None):
    array = np.asarray(array)
    data = zlib.compress(array.astype(array.dtype.newbyteorder("<")).tobytes(), 9)
    digest = hashlib.sha256(data).hexdigest()[:12]
    arrays[digest] = base64.b64encode(data).decode()
    values[name if page is None else f"{name} {page}"] = {
        "file": name,
        "page": page or 0,
        "type": str(array.dtype),
        "height": array.shape[0],
        "width": array.shape[1],
        "channels": array.shape[2] if array.ndim == 3 else 1,
        "tolerance": tolerance,
        "data": digest,
    }


def note_pillow(name, tolerance=0):
    image = ImageOps.exif_transpose(Image.open(FOLDER / name))
    grey = image.mode in ("1", "L", "LA")
    note(name, image.convert("L" if grey else "RGB"), tolerance)


def pillow(name, image, tolerance=0, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(FOLDER / name, **options)
    note_pillow(name, tolerance)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(name, array, extra=b""):
    """A PNG with 16 bits, or with extra chunks; Pillow writes neither."""
    depth = array.dtype.itemsize * 8
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[array.shape[2] if array.ndim == 3 else 1]
    lines = b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    (FOLDER / name).write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def tiff(name, array, expected=None, **options):
    tifffile.imwrite(FOLDER / name, array, metadata=None, software=None, **options)
    note(name, array if expected is None else expected)


def linear_profile():
    """The sRGB profile with linear curves: a decoder that applies it changes every value."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = profile.find(b"para")
    while at >= 0:
        profile[at : at + 32] = b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, 65536, 65536, 0, 65536, 0)
        at = profile.find(b"para", at + 32)
    return bytes(profile)


FOLDER.mkdir(exist_ok=True)

pillow("rgb8.png", rgb8)
pillow("grey8.png", grey8)
pillow("rgba8.png", np.dstack([rgb8, alpha8]))
pillow("grey_alpha8.png", Image.merge("LA", [Image.fromarray(grey8), Image.fromarray(alpha8)]))
pillow("palette.png", Image.fromarray(rgb8).quantize(13))
pillow("palette_transparent.png", Image.fromarray(rgb8).quantize(13), transparency=2)
pillow("grey_palette.png", Image.fromarray(grey8 // 32 * 32).quantize(8))
pillow("grey_transparent.png", Image.fromarray(grey8), transparency=0)
pillow("bits1.png", Image.fromarray(grey8 > 90))
pillow("profile.png", rgb8, icc_profile=linear_profile())
png("gamma.png", rgb8, chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"pHYs", struct.pack(">IIB", 9, 9, 1)))
note_pillow("gamma.png")
for name, array in {
    "grey16.png": grey16,
    "rgb16.png": rgb16,
    "grey_alpha16.png": np.dstack([grey16, alpha16]),
    "rgba16.png": np.dstack([rgb16, alpha16]),
}.items():
    png(name, array)
    note(name, array if array.ndim == 2 else array[..., 0] if array.shape[2] == 2 else array[..., :3])

exif = Image.Exif()
exif[0x0112] = 6  # rotated by 90 degrees for display
pillow("grey.jpg", smooth[..., 1], 1, quality=90)
pillow("rgb.jpg", smooth, 2, quality=90)
pillow("progressive.jpg", smooth, 2, quality=90, progressive=True, subsampling=0)
pillow("turned.jpg", smooth, 2, quality=90, exif=exif)
pillow("profile.jpg", smooth, 2, quality=90, icc_profile=linear_profile())
pillow("cmyk.jpg", Image.fromarray(smooth).convert("CMYK"), 2, quality=95)

pillow("lossless.webp", rgb8, lossless=True)
pillow("lossless_alpha.webp", np.dstack([rgb8, alpha8]), lossless=True, exact=True)
pillow("lossy.webp", smooth, 2, quality=80)
frames = [Image.fromarray(rgb8), Image.fromarray(255 - rgb8)]
pillow("animated.webp", frames[0], save_all=True, append_images=frames[1:], lossless=True)

tiff("rgb8.tif", rgb8)
tiff("rgba8.tif", np.dstack([rgb8, alpha8]), rgb8, extrasamples=["unassalpha"], photometric="rgb")
tiff("planes8.tif", np.moveaxis(rgb8, 2, 0).copy(), rgb8, photometric="rgb", planarconfig="separate")
tiff("grey8.tif", grey8)
tiff("white_is_zero8.tif", grey8, 255 - grey8, photometric="miniswhite")
tiff("bits1.tif", grey8 > 90, ((grey8 > 90) * 255).astype(np.uint8), photometric="minisblack")
tiff("grey16.tif", grey16)
tiff("grey16_lzw.tif", grey16, compression="lzw", predictor=True)
tiff("grey16_deflate.tif", grey16, compression="zlib")
tiff("grey16_tiled.tif", grey16, tile=(16, 16))
tiff("grey16_big_endian.tif", grey16, byteorder=">")
tiff("grey16_bigtiff.tif", grey16, bigtiff=True)
tiff("grey16_white_is_zero.tif", grey16, 65535 - grey16, photometric="miniswhite")
tiff("rgb16.tif", rgb16)
tiff("rgb16_strips.tif", rgb16, compression="lzw", rowsperstrip=5)
tiff("float32.tif", rgb_float[..., 0])
tiff("float32_predictor.tif", rgb_float[..., 0], compression="zlib", predictor=True)
tiff("rgb_float32.tif", rgb_float, photometric="rgb")
palette = np.stack([np.arange(256) * 257, 65535 - np.arange(256) * 257, np.arange(256) * 771 % 65536]).astype(np.uint16)
tifffile.imwrite(
    FOLDER / "palette.tif", grey8, photometric="palette", colormap=palette, metadata=None, software=None
)
note_pillow("palette.tif")
tifffile.imwrite(FOLDER / "turned.tif", rgb8, metadata=None, software=None, extratags=[(274, "H", 1, 6, True)])
note_pillow("turned.tif")
with tifffile.TiffWriter(FOLDER / "pages.tif") as writer:
    for page, array in enumerate([grey16, 65535 - grey16[:11], rgb8]):
        writer.write(array, metadata=None, software=None)
        note("pages.tif", array, page=page)
# Sample types and channels that are refused
for name, array in {
    "refused_int8.tif": (grey8 // 2).astype(np.int8) - 64,
    "refused_int16.tif": (grey16.astype(np.int32) - 30000).astype(np.int16),
    "refused_uint32.tif": grey16.astype(np.uint32) * 3,
    "refused_float16.tif": rgb_float[..., 0].astype(np.float16),
    "refused_float64.tif": rgb_float[..., 0].astype(np.float64),
    "refused_channels3.tif": rgb8,
    "refused_channels5.tif": np.dstack([rgb8, rgb8[..., :2]]),
}.items():
    options = {"photometric": "minisblack", "planarconfig": "contig"} if array.ndim == 3 else {}
    tifffile.imwrite(FOLDER / name, array, metadata=None, software=None, **options)

(FOLDER / "values.json").write_text(json.dumps({"files": values, "data": arrays}, indent=1) + "\n")
