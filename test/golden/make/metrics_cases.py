"""Cases that metrics.py does not cover: several classes, crowds, equal scores, empty images, cells of every size,
boxes that are not the masks'. COCOeval's twelve numbers for them, over all classes and for each."""

import contextlib
import copy
import io
import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import common
import masks

LIMITS = (2, 10, 1000)
AREAS = ("", "Small", "Medium", "Large")


def scores_at(gt: COCO, dt: COCO, kind: str, limit: int, categories: list[int] | None = None) -> dict[str, float | None]:
    """AP and AR by size, AP50 and AP75; None where COCOeval has -1."""
    evaluation = COCOeval(gt, dt, kind)
    if categories:
        evaluation.params.catIds = categories
    evaluation.params.maxDets = [limit]
    evaluation.evaluate()
    evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]

    def mean(values: np.ndarray) -> float | None:
        return float(values[values > -1].mean()) if (values > -1).any() else None

    result = {"AP50": mean(precision[0, :, :, 0, 0]), "AP75": mean(precision[5, :, :, 0, 0])}
    for i, area in enumerate(AREAS):
        result[f"AP{area}"] = mean(precision[:, :, :, i, 0])
        result[f"AR{area}"] = mean(recall[:, :, i, 0])
    return result


def coco_scores(ground_truth: dict, detections: list[dict]) -> dict:
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = copy.deepcopy(ground_truth)
        gt.createIndex()
        dt = gt.loadRes(copy.deepcopy(detections))
        answer: dict = {"all": {}, "classes": {}}
        for kind in ("segm", "bbox"):
            for limit in LIMITS:
                answer["all"][f"{kind}_maxDets{limit}"] = scores_at(gt, dt, kind, limit)
            for category in ground_truth["categories"]:
                key = f"{kind}_{category['id']}"
                answer["classes"][key] = scores_at(gt, dt, kind, LIMITS[-1], [category["id"]])
        return answer


def ellipse(job: common.Job, height: int, width: int, largest: float) -> np.ndarray:
    y, x = np.ogrid[:height, :width]
    cy, cx = job.rng.uniform(0, height), job.rng.uniform(0, width)
    ry, rx = job.rng.uniform(2, largest, 2)
    return (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1).astype(np.uint8)


def annotation(image: int, category: int, mask: np.ndarray, number: int, crowd: int) -> dict:
    encoded = masks.encode(mask)
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "iscrowd": crowd,
        "segmentation": encoded,
        "area": float(coco_mask.area(encoded)),
        "bbox": coco_mask.toBbox(encoded).tolist(),
    }


def detection(job: common.Job, image: int, category: int, mask: np.ndarray) -> dict:
    encoded = masks.encode(mask)
    box = coco_mask.toBbox(encoded) + job.rng.uniform(-1, 1, 4)
    return {
        "image_id": image,
        "category_id": category,
        # One decimal, so that many are equal and their order matters.
        "score": round(float(job.rng.uniform(0, 1)), 1),
        "segmentation": encoded,
        "bbox": np.maximum(box, [-2, -2, 0.5, 0.5]).round(3).tolist(),
    }


def make(job: common.Job) -> None:
    rng = job.rng
    # Not consecutive and not sorted; one class has ground truth without detections, one detections without ground truth.
    categories = [7, 3, 12, 5]
    ground_truth: dict = {"images": [], "annotations": [], "info": {}}
    ground_truth["categories"] = [{"id": category, "name": f"type {category}"} for category in categories]
    detections: list[dict] = []
    count = int(rng.integers(7, 10))
    for image in rng.permutation(np.arange(1, count + 1) * 3).tolist():
        height, width = int(rng.integers(60, 260)), int(rng.integers(60, 260))
        ground_truth["images"].append({"id": image, "height": height, "width": width, "file_name": f"{image}.png"})
        # The first two images by id have no ground truth, and one of them has detections.
        cells = 0 if image <= 6 else int(rng.integers(3, 22))
        largest = float(rng.choice([8, 20, 70]))
        for _ in range(cells):
            mask = ellipse(job, height, width, largest)
            if not mask.any():
                continue
            category = int(rng.choice([7, 3, 12]))
            crowd = int(rng.random() < 0.12)
            ground_truth["annotations"].append(annotation(image, category, mask, len(ground_truth["annotations"]) + 1, crowd))
            for _ in range(int(rng.integers(0, 4))):
                found = np.roll(mask, tuple(rng.integers(-2, 3, 2)), (0, 1))
                guess = category if rng.random() < 0.85 else int(rng.choice([7, 3, 5]))
                if guess != 12 and found.any():
                    detections.append(detection(job, image, guess, found))
        for _ in range(int(rng.integers(1, 5)) if image != 3 else 0):
            mask = ellipse(job, height, width, largest)
            if mask.any():
                detections.append(detection(job, image, int(rng.choice([7, 3])), mask))
    detections = [detections[i] for i in rng.permutation(len(detections))]
    # Duplicate detections with equal scores.
    detections += copy.deepcopy(detections[:4])
    without_boxes = [{key: value for key, value in one.items() if key != "bbox"} for one in detections]
    common.write_json(
        job.out / "metrics_cases.json",
        {
            "coco_truth": ground_truth,
            "coco_detections": detections,
            "with_boxes": coco_scores(ground_truth, detections),
            "without_boxes": coco_scores(ground_truth, without_boxes),
        },
    )


def check(golden: Path, data: Path) -> list[common.Difference]:
    stored = json.loads((golden / "metrics_cases.json").read_text())
    ground_truth, detections = stored["coco_truth"], stored["coco_detections"]
    without_boxes = [{key: value for key, value in one.items() if key != "bbox"} for one in detections]
    difference = common.Difference("metrics_cases.json")
    for name, given in (("with_boxes", detections), ("without_boxes", without_boxes)):
        answer = coco_scores(ground_truth, given)
        for part in ("all", "classes"):
            for case, scores in stored[name][part].items():
                for key, value in scores.items():
                    ours = answer[part][case][key]
                    if value is None or ours is None:
                        difference.equal(f"{name} {case} {key}", ours, value)
                    else:
                        difference.numbers(f"{name} {case} {key}", ours, value, 1e-9)
    return [difference]
