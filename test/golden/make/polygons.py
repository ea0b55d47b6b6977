"""Polygons rasterized by pycocotools: one mask per list, as in COCO's annotations."""

import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

import common
import masks


def drawn(size: list[int], polygons: list[list[float]]) -> str:
    merged = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *size)))
    # Encoded again, because the reference keeps runs of length 0.
    return masks.encode(merged)["counts"]


def outline(job: common.Job, kind: str, height: int, width: int) -> list[float]:
    def uniform(low: float, high: float, shape: tuple[int, int]) -> np.ndarray:
        return job.rng.uniform(low, high, shape) * [width, height]

    corners = int(job.rng.integers(3, 14))
    if kind == "blob":
        angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        radius = job.rng.uniform(0.5, 12, (corners, 1))
        points = uniform(0, 1, (1, 2)) + radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    elif kind == "whole numbers":
        points = np.round(uniform(0, 1, (corners, 2)))
    elif kind == "repeated":
        points = np.repeat(uniform(0, 1, (corners, 2)), 2, axis=0)
    elif kind == "far outside":
        points = uniform(-20, 20, (corners, 2))
    else:  # tangled
        points = uniform(-0.3, 1.3, (corners, 2))
    # Two decimals, as in annotation tools.
    return np.round(points, 2).ravel().tolist()


KINDS = ["blob", "whole numbers", "repeated", "far outside", "tangled"]


def make(job: common.Job) -> None:
    entries = []
    for i in range(100):
        height, width = (int(side) for side in job.rng.integers(1, 64, 2))
        count = 1 if i % 3 else int(job.rng.integers(2, 5))
        polygons = [outline(job, KINDS[i % len(KINDS)], height, width) for _ in range(count)]
        entries.append({"size": [height, width], "polygons": polygons, "coco": drawn([height, width], polygons)})
    common.write_json(job.out / "polygons.json", {"masks": entries})


def check(golden: Path, data: Path) -> list[common.Difference]:
    difference = common.Difference("polygons.json")
    for i, entry in enumerate(json.loads((golden / "polygons.json").read_text())["masks"]):
        difference.equal(f"mask {i} {entry['size']}", drawn(entry["size"], entry["polygons"]), entry["coco"])
    return [difference]
