"""The peers of bench/metrics.mjs: reads ground ground_truth and detections from files, evaluates them for each line of JSON on
stdin, and prints the milliseconds from parsed JSON to numbers."""

import contextlib
import copy
import io
import json
import sys
import time
from importlib.metadata import version

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

peers = {"pycocotools": (COCO, COCOeval)}
try:
    from faster_coco_eval import COCO as FasterCOCO
    from faster_coco_eval import COCOeval_faster

    peers["faster-coco-eval"] = (FasterCOCO, COCOeval_faster)
except ImportError:
    pass

ground_truth, detections = (json.load(open(path)) for path in sys.argv[1:3])
limit = max(len(detections), 1)


def evaluate(dataset, evaluation, ground_truth, found, kinds):
    gt = dataset()
    gt.dataset = ground_truth
    gt.createIndex()
    dt = gt.loadRes(found)
    answer = {}
    for kind in kinds:
        one = evaluation(gt, dt, kind)
        one.params.maxDets = [limit]
        one.evaluate()
        one.accumulate()
        precision, recall = one.eval["precision"][..., 0], one.eval["recall"][..., 0]
        answer[kind] = {
            "ap": float(precision[:, :, :, 0].mean()),
            "ap50": float(precision[0, :, :, 0].mean()),
            "ap75": float(precision[5, :, :, 0].mean()),
            "ar": float(recall[:, :, 0].mean()),
        }
    return answer


print(json.dumps({"peers": {name: version(name) for name in peers}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    # The peers modify their input.
    ground_truth, found = copy.deepcopy(ground_truth), copy.deepcopy(detections)
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        result = evaluate(*peers[request["peer"]], ground_truth, found, request["kinds"])
        ms = (time.perf_counter() - start) * 1000
    print(json.dumps({"ms": ms, "result": result}), flush=True)
