"""Masks in the three run-length encodings, their areas and boxes, and IoU with and without crowds, by pycocotools."""

import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

import common
import masks


def entry_of(mask: np.ndarray) -> dict:
    encoded = masks.encode(mask)
    column_major = mask.ravel(order="F")
    # COCO's counts start with zeros, so a mask that starts with a one has a first count of 0.
    counts, end = [], 0
    for start, length in masks.runs(column_major):
        counts += [start - end, length]
        end = start + length
    if end < mask.size:
        counts.append(mask.size - end)
    return {
        **{"size": encoded["size"], "kaggle": masks.kaggle(mask), "coco": encoded["counts"]},
        "coco_counts": counts,
        "area": int(coco_mask.area(encoded)),
        "bbox": coco_mask.toBbox(encoded).tolist(),
    }


def iou_of(size: list[int], a: list[str], b: list[str]) -> dict[str, list[list[float]]]:
    first, second = ([{"size": size, "counts": counts} for counts in side] for side in (a, b))
    return {
        "iou": coco_mask.iou(first, second, [0] * len(b)).tolist(),
        "iou_crowd": coco_mask.iou(first, second, [1] * len(b)).tolist(),
    }


def blob(job: common.Job, height: int, width: int) -> np.ndarray:
    """An ellipse that may extend beyond the image."""
    y, x = np.ogrid[:height, :width]
    cy, cx = job.rng.uniform(0, height), job.rng.uniform(0, width)
    ry, rx = job.rng.uniform(2, height / 3), job.rng.uniform(2, width / 3)
    return (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1).astype(np.uint8)


def make(job: common.Job) -> None:
    def speckled(height: int, width: int, share: float) -> np.ndarray:
        return (job.rng.random((height, width)) < share).astype(np.uint8)

    def side(low: int, high: int) -> int:
        return int(job.rng.integers(low, high))

    height, width = side(20, 70), side(20, 70)
    drawn = [
        np.ones((1, 1), np.uint8),
        np.zeros((1, 1), np.uint8),
        speckled(side(2, 12), side(2, 12), 0.5),
        speckled(side(5, 20), 1, 0.5),
        speckled(1, side(5, 20), 0.5),
        speckled(side(40, 90), side(40, 90), 0.02),
        # Gaps of thousands of pixels: counts of three and four characters.
        speckled(side(400, 700), side(500, 900), 0.0005),
        np.ones((height, width), np.uint8),
        np.zeros((height, width), np.uint8),
        speckled(side(30, 60), side(30, 60), 0.95),
        blob(job, side(60, 200), side(60, 200)),
        np.eye(side(5, 30), dtype=np.uint8),
    ]
    size = [side(80, 200), side(80, 200)]
    a = [blob(job, *size) for _ in range(side(5, 15))]
    b = [np.roll(mask, (side(-9, 9), side(-9, 9)), (0, 1)) for mask in a] + [blob(job, *size) for _ in range(3)]
    a, b = ([masks.encode(mask)["counts"] for mask in group] for group in (a, b))
    common.write_json(
        job.out / "rle.json",
        {
            "masks": [entry_of(mask) for mask in drawn],
            "iou": {"a": a, "b": b, "size": size, **iou_of(size, a, b)},
        },
    )


def check(golden: Path, data: Path) -> list[common.Difference]:
    stored = json.loads((golden / "rle.json").read_text())
    difference = common.Difference("rle.json")
    for i, entry in enumerate(stored["masks"]):
        mask = coco_mask.decode({"size": entry["size"], "counts": entry["coco"]})
        difference.equal(f"mask {i} {entry['size']}", entry_of(mask), entry)
        difference.equal(f"mask {i} from kaggle", masks.from_kaggle(entry["kaggle"], *entry["size"]).tolist(), mask.tolist())
    iou = stored["iou"]
    for key, answer in iou_of(iou["size"], iou["a"], iou["b"]).items():
        difference.equal(key, answer, iou[key])
    return [difference]
