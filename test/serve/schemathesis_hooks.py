# What schemathesis sends as an image: real ones, damaged ones, and bytes. Its own strategies make bytes only.
import struct
import zlib

import schemathesis
from hypothesis import strategies as st


def png(width, height, bits=8):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = bytes((x * 37) % 256 for x in range(width * bits // 8))
    rows = b"".join(b"\0" + row for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


good = [png(24, 16), png(1, 1), png(16, 24, 16)]
damaged = st.builds(lambda image, at, byte: image[:at] + bytes([byte]) + image[at + 1 :],
                    st.sampled_from(good), st.integers(0, 60), st.integers(0, 255))
images = st.one_of(st.sampled_from(good), damaged, st.binary(max_size=200))
for kind in ("image/png", "image/jpeg", "image/webp", "image/tiff", "application/octet-stream"):
    schemathesis.openapi.media_type(kind, images)
schemathesis.openapi.format("binary", images)
