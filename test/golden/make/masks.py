"""Ground truth masks from Sartorius annotations and label images; run-length encodings by pycocotools."""

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask


def encode(mask: np.ndarray) -> dict:
    """COCO's compressed encoding of a two-dimensional mask, with its counts as text."""
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def runs(flat: np.ndarray) -> list[tuple[int, int]]:
    """(start, length) of every run of ones, starts from 0."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat.astype(np.int8), [0]])))
    return [(int(start), int(end - start)) for start, end in edges.reshape(-1, 2)]


def kaggle(mask: np.ndarray) -> str:
    """The competition's encoding: "start length ...", 1-based, row by row."""
    return " ".join(f"{start + 1} {length}" for start, length in runs(mask.ravel()))


def from_kaggle(annotation: str, height: int, width: int) -> np.ndarray:
    flat = np.zeros(height * width, np.uint8)
    numbers = [int(word) for word in annotation.split()]
    for start, length in zip(numbers[::2], numbers[1::2]):
        flat[start - 1 : start - 1 + length] = 1
    return flat.reshape(height, width)


def of_labels(path: Path) -> np.ndarray:
    """N x H x W in {0, 1}: the cells of a label image in the order of their numbers."""
    labels = np.array(Image.open(path))
    return np.stack([labels == cell for cell in np.unique(labels) if cell != 0]).astype(np.uint8)


def of_image(data: Path, name: str) -> np.ndarray:
    """N x H x W: the ground truth of an image, in the order of its labels or of its rows in train.csv."""
    path = Path(name)
    if path.parts[0] != "sartorius":
        return of_labels(data / path.parts[0] / "labels" / path.name)
    with open(data / "sartorius" / "train.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["id"] == path.stem]
    return np.stack([from_kaggle(row["annotation"], int(row["height"]), int(row["width"])) for row in rows])


def target(cells: np.ndarray) -> dict[str, torch.Tensor]:
    """A torchvision target; boxes are half-open, so a mask of one pixel has a box of size 1."""
    boxes = []
    for cell in cells:
        rows, columns = np.flatnonzero(cell.any(1)), np.flatnonzero(cell.any(0))
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return {
        "boxes": torch.tensor(np.array(boxes), dtype=torch.float32),
        "labels": torch.ones(len(cells), dtype=torch.int64),
        "masks": torch.from_numpy(cells),
    }
