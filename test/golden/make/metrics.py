"""Ground truth and detections in COCO format, COCOeval's AP and AR for two limits, and the competition's precision."""

import contextlib
import copy
import csv
import io
import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import common
import masks

IOU_THRESHOLDS = [0.5 + 0.05 * i for i in range(10)]
MIN_SCORE = 0.5
RULE = (
    "score >= 0.5, masks at 0.5, later cells lose the pixels of earlier ones, empty ones dropped; "
    "precision = TP/(TP+FP+FN), TP = predictions with some truth at IoU > t; mean over t and images"
)


# COCO


def coco_scores(ground_truth: dict, detections: list[dict], limits: tuple[int, ...] = (100, 1000)) -> dict:
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = copy.deepcopy(ground_truth)
        gt.createIndex()
        dt = gt.loadRes(copy.deepcopy(detections))
        return {f"{kind}_maxDets{limit}": scores_at(gt, dt, kind, limit) for kind in ("segm", "bbox") for limit in limits}


def scores_at(gt: COCO, dt: COCO, kind: str, limit: int) -> dict[str, float]:
    # Not COCOeval.summarize(), whose AP always needs a limit of 100 in maxDets.
    evaluation = COCOeval(gt, dt, kind)
    evaluation.params.maxDets = [1, 10, limit]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    recall = evaluation.eval["recall"][:, :, 0, 2]

    def mean(values: np.ndarray) -> float:
        return float(values[values > -1].mean())

    return {"AP": mean(precision), "AP50": mean(precision[0]), "AP75": mean(precision[5]), "AR": mean(recall)}


# the competition's


def without_overlaps(cells: list[np.ndarray]) -> list[np.ndarray]:
    """A cell loses the pixels of the cells before it; one that lost all of them is dropped."""
    taken, kept = None, []
    for cell in cells:
        taken = np.zeros_like(cell) if taken is None else taken
        cell = cell & ~taken
        taken |= cell
        if cell.any():
            kept.append(cell)
    return kept


def precision_of(predictions: list[np.ndarray], ground_truths: list[np.ndarray]) -> list[float]:
    """TP / (TP + FP + FN) at each IoU threshold. One of the two must not be empty."""
    iou = np.zeros((len(predictions), len(ground_truths)))
    if predictions and ground_truths:
        a, b = ([masks.encode(cell) for cell in cells] for cells in (predictions, ground_truths))
        iou = np.asarray(coco_mask.iou(a, b, [0] * len(b)))
    result = []
    for threshold in IOU_THRESHOLDS:
        matched = iou > threshold
        hits = int(matched.any(1).sum())
        misses = len(ground_truths) - int(matched.any(0).sum())
        result.append(hits / (len(predictions) + misses))
    return result


def kaggle_scores(ground_truth: dict, detections: list[dict]) -> dict:
    images = []
    for image in ground_truth["images"]:
        ground_truths = [
            coco_mask.decode(annotation["segmentation"])
            for annotation in ground_truth["annotations"]
            if annotation["image_id"] == image["id"]
        ]
        found = [d for d in detections if d["image_id"] == image["id"] and d["score"] >= MIN_SCORE]
        found.sort(key=lambda detection: -detection["score"])
        predictions = without_overlaps([coco_mask.decode(detection["segmentation"]) for detection in found])
        precision = precision_of(predictions, ground_truths)
        images.append(
            {
                "image_id": image["id"],
                "predictions": len(predictions),
                "truths": len(ground_truths),
                "precision_at_iou": precision,
                "mean": float(np.mean(precision)),
            }
        )
    return {"rule": RULE, "images": images, "score": float(np.mean([image["mean"] for image in images]))}


# drawn detections


def worsened(job: common.Job, cell: np.ndarray) -> np.ndarray:
    """The cell moved by a few pixels, and sometimes cut off at its middle."""
    cell = np.roll(cell, tuple(job.rng.integers(-3, 4, 2)), (0, 1))
    if job.rng.random() < 0.15:
        rows = np.flatnonzero(cell.any(1))
        cell = cell.copy()
        cell[(rows[0] + rows[-1]) // 2 :] = 0
    return cell


def drawn_detections(job: common.Job, image_id: int, cells: np.ndarray, copies: int) -> list[dict]:
    found = []
    for cell in cells:
        for _ in range(int(job.rng.integers(0, copies + 1))):
            mask = worsened(job, cell)
            if not mask.any():
                continue
            encoded = masks.encode(mask)
            found.append(
                {
                    "image_id": image_id,
                    "category_id": 1,
                    # Almost certainly distinct, because the order of equal scores would depend on the sort.
                    "score": float(job.rng.uniform(0.05, 1)),
                    "segmentation": encoded,
                    "bbox": coco_mask.toBbox(encoded).tolist(),
                    "area": float(coco_mask.area(encoded)),
                }
            )
    return sorted(found, key=lambda detection: -detection["score"])


def make(job: common.Job) -> None:
    with open(job.data / "nuclei" / "index.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["width"]) <= 700]
    dense = [row for row in rows if int(row["instances"]) > 110]
    sparse = [row for row in rows if int(row["instances"]) < 60]
    chosen = [dense[int(job.rng.integers(len(dense)))]]
    chosen += [sparse[i] for i in job.rng.choice(len(sparse), int(job.rng.integers(4, 8)), replace=False)]
    ground_truth: dict = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cell"}], "info": {}}
    detections: list[dict] = []
    for image_id, row in enumerate(chosen, start=1):
        name = f"nuclei/images/{row['id']}.png"
        cells = masks.of_image(job.data, name)
        ground_truth["images"].append(
            {"id": image_id, "height": cells.shape[1], "width": cells.shape[2], "file_name": name}
        )
        for cell in cells:
            encoded = masks.encode(cell)
            ground_truth["annotations"].append(
                {
                    "id": len(ground_truth["annotations"]) + 1,
                    "image_id": image_id,
                    "category_id": 1,
                    "iscrowd": 0,
                    "segmentation": encoded,
                    "area": float(coco_mask.area(encoded)),
                    "bbox": coco_mask.toBbox(encoded).tolist(),
                }
            )
        # The last image has ground truth and no detection; the first has more than 100 detections, so that the limit matters.
        copies = 0 if image_id == len(chosen) else 3 if image_id == 1 else 2
        detections += drawn_detections(job, image_id, cells, copies)
    for i, detection in enumerate(detections, start=1):
        detection.update(id=i, iscrowd=0)
    common.write_json(
        job.out / "metrics.json",
        {
            "coco_truth": ground_truth,
            "coco_detections": detections,
            "coco": coco_scores(ground_truth, detections),
            "kaggle": kaggle_scores(ground_truth, detections),
        },
    )


def check(golden: Path, data: Path) -> list[common.Difference]:
    stored = json.loads((golden / "metrics.json").read_text())
    difference = common.Difference("metrics.json")
    answer = coco_scores(stored["coco_truth"], stored["coco_detections"])
    for name, scores in stored["coco"].items():
        for key, value in scores.items():
            difference.numbers(f"{name} {key}", answer[name][key], value, 1e-9)
    answer = kaggle_scores(stored["coco_truth"], stored["coco_detections"])
    for ours, theirs in zip(answer["images"], stored["kaggle"]["images"]):
        for key in ("predictions", "truths", "precision_at_iou"):
            difference.equal(f"image {theirs['image_id']} {key}", ours[key], theirs[key])
    difference.numbers("score", answer["score"], stored["kaggle"]["score"], 1e-12)
    return [difference]
