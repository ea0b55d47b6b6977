"""The peers of bench/rle.mjs: reads masks from a file, runs the operation of each line of JSON on stdin, and prints its
milliseconds."""

import json
import sys
import time
from importlib.metadata import version

import numpy as np
from pycocotools import mask as pycocotools_mask

peers = {"pycocotools": pycocotools_mask}
try:
    from faster_coco_eval import mask as faster_mask

    peers["faster-coco-eval"] = faster_mask
except ImportError:
    pass

with open(sys.argv[1]) as file:
    task = json.load(file)
size = [task["side"], task["side"]]
a, b = ([{"size": size, "counts": text.encode()} for text in task[key]] for key in "ab")
few = a[: task["dense"]]
columns = pycocotools_mask.decode(few)  # [height, width, n] in Fortran order, the input of encode()
rows = np.ascontiguousarray(columns.transpose(2, 0, 1))  # [n, height, width], the usual order of images


def texts(rles):
    return [rle["counts"].decode() for rle in rles]


def decode(mask):
    pixels = mask.decode(few)
    # In memory order, so that both sides read the same bytes of the same pages.
    return pixels.reshape(-1, order="F")[:: task["page"]].sum()


# Timed operations, and the conversion of their results for the comparison.
operations = {
    "encode": (lambda mask: mask.encode(np.asfortranarray(rows.transpose(1, 2, 0))), texts),
    "encode_columns": (lambda mask: mask.encode(columns), texts),
    "decode": (decode, None),
    "iou": (lambda mask: mask.iou(a, b, [0] * len(b)), lambda matrix: matrix.ravel().tolist()),
    "union": (lambda mask: mask.merge(a), lambda rle: texts([rle])),
    "boxes": (lambda mask: mask.toBbox(a), lambda boxes: boxes.ravel().tolist()),
}

print(json.dumps({"peers": {name: version(name) for name in peers}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    run, plain = operations[request["op"]]
    start = time.perf_counter()
    result = run(peers[request["peer"]])
    answer = {"ms": (time.perf_counter() - start) * 1000}
    if request.get("answer"):
        answer["result"] = plain(result) if plain else None
    print(json.dumps(answer), flush=True)
