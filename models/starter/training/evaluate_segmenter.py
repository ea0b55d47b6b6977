"""Scores of a starter segmenter on validation pictures, by torchvision: the numbers of the model card.

    python models/starter/training/evaluate_segmenter.py --weights nuclei_small.pth --data DATA [--modality histology]

DATA holds nuclei/ (index.csv, images/, labels/). Prints one line of JSON: the Kaggle mean precision over IoU
0.5:0.05:0.95 (masks at 0.5, overlaps removed in score order, the mean over pictures) at several score thresholds, and
COCO's mask AP with up to 1,000 detections a picture. Needs torch, torchvision, pycocotools, numpy and pillow.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import torch
from pycocotools import mask as coco_mask

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test" / "golden" / "make"))
import masks  # noqa: E402
import metrics  # noqa: E402
import networks  # noqa: E402
import nuclei  # noqa: E402

SCORES = [0.3, 0.4, 0.5, 0.59, 0.7]


def coco_entry(image_id: int, cell: np.ndarray, **extra: object) -> dict:
    encoded = masks.encode(cell)
    area, box = float(coco_mask.area(encoded)), coco_mask.toBbox(encoded).tolist()
    return {"image_id": image_id, "category_id": 1, "segmentation": encoded, "area": area, "bbox": box, **extra}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--modality", default="fluorescence")
    parser.add_argument("--split", default="val")
    parser.add_argument("--resize", default="off", help='"off" (full size) or "min_size N"')
    options = parser.parse_args()

    with open(options.data / "nuclei" / "index.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["modality"], row["split"]) == (options.modality, options.split)]
    model = networks.load_small(options.weights, networks.SMALL_CONFIG)
    truth: dict = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cell"}], "info": {}}
    detections: list[dict] = []
    kaggle: dict[float, list[float]] = {score: [] for score in SCORES}
    for image_id, row in enumerate(rows, start=1):
        name = f"nuclei/images/{row['id']}.png"
        cells = masks.of_picture(options.data, name)
        found = nuclei.detect(model, nuclei.read_min_max(options.data / name), options.resize)
        predictions = (found["masks"][:, 0] > 0.5).numpy().astype(np.uint8)
        scores = found["scores"].tolist()
        truth["images"].append({"id": image_id, "height": cells.shape[1], "width": cells.shape[2], "file_name": name})
        for cell in cells:
            truth["annotations"].append(coco_entry(image_id, cell, id=len(truth["annotations"]) + 1, iscrowd=0))
        detections += [coco_entry(image_id, cell, score=score) for cell, score in zip(predictions, scores)]
        for threshold, values in kaggle.items():
            kept = metrics.without_overlaps([cell for cell, score in zip(predictions, scores) if score >= threshold])
            values.append(float(np.mean(metrics.precision_of(kept, list(cells)))))
    coco = metrics.coco_scores(truth, detections, limits=(1000,))["segm_maxDets1000"]
    print(
        json.dumps(
            {
                "modality": options.modality,
                "split": options.split,
                "resize": options.resize,
                "pictures": len(rows),
                "cells": len(truth["annotations"]),
                "kaggle_mean_by_min_score": {str(score): round(float(np.mean(v)), 4) for score, v in kaggle.items()},
                "coco_segm": {key: round(value, 4) for key, value in coco.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
