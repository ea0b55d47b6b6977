"""Measurements of cells by scikit-image's regionprops. Run by itself; needs scikit-image and pillow, no torch.

    python test/golden/make/measurements.py --out test/golden --data test/data
    python test/golden/make/measurements.py --check test/golden --data test/data
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from skimage.measure import regionprops_table

SHAPES = [
    "area",
    "perimeter",
    "centroid",
    "bbox",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "orientation",
    "area_convex",
    "solidity",
    "feret_diameter_max",
]
INTENSITIES = ["intensity_mean", "intensity_min", "intensity_max", "intensity_std"]


def drawn() -> np.ndarray:
    """Shapes that real cells seldom have: one pixel, lines, a ring, a diagonal, parts apart, squares, the border."""
    labels = np.zeros((60, 70), np.uint16)
    labels[3, 4] = 1
    labels[8, 2:20] = 2
    labels[12:30, 3] = 3
    labels[12:24, 8:22] = 4
    labels[15:21, 11:19] = 0
    for i in range(12):
        labels[30 + i, 5 + i] = 5
    labels[32:36, 30:34] = 6
    labels[44:46, 40:41] = 6
    labels[5:15, 40:50] = 7
    labels[50:60, 55:70] = 8
    labels[20, 60] = labels[21, 61] = 9
    labels[50:54, 2:30:2] = 10
    return labels


def table(labels: np.ndarray, intensities: np.ndarray | None) -> dict[str, list[float]]:
    names = SHAPES + (INTENSITIES if intensities is not None else [])
    columns = regionprops_table(labels, intensities, properties=["label", *names])
    return {name: np.asarray(values, dtype=float).tolist() for name, values in columns.items()}


def answers(data: Path) -> dict[str, object]:
    labels = drawn()
    result = {"drawn": {"height": labels.shape[0], "labels": labels.ravel().tolist(), "columns": table(labels, None)}}
    # Fluorescence, crowded fluorescence and histology.
    for path in sorted((data / "nuclei" / "labels").glob("*.png")):
        if path.name[:2] not in ("00", "3b", "50"):
            continue
        image = np.array(Image.open(data / "nuclei" / "images" / path.name).convert("RGB"))
        result[f"nuclei/labels/{path.name}"] = {"columns": table(np.array(Image.open(path)), image)}
    return result


def differences(stored: dict, made: dict, path: str = "") -> list[str]:
    if isinstance(stored, dict):
        keys = stored.keys() | made.keys()
        return [line for key in keys for line in differences(stored.get(key), made.get(key), f"{path}/{key}")]
    if isinstance(stored, list) and isinstance(made, list) and len(stored) == len(made):
        return [line for i, pair in enumerate(zip(stored, made)) for line in differences(*pair, f"{path}[{i}]")]
    close = isinstance(stored, (int, float)) and math.isclose(stored, made, rel_tol=1e-9, abs_tol=1e-9)
    return [] if close or stored == made else [f"{path}: {made} against {stored}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", type=Path, metavar="GOLDEN")
    options = parser.parse_args()
    made = answers(options.data)
    if options.check:
        stored = json.loads((options.check / "measurements.json").read_text())
        found = differences(stored["images"], made)
        print("\n".join(found) or "equal")
        sys.exit(1 if found else 0)
    content = {"reference": f"scikit-image {skimage.__version__}", "images": made}
    (options.out / "measurements.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
