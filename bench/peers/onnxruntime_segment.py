"""Measures time and peak memory of ONNX Runtime on one image, with torchvision's network exported by prepare.py.

    python bench/peers/onnxruntime_segment.py NETWORK.onnx IMAGE

Prints a line when ready; then, for each line {"warmup", "repeats"} on stdin, a line of JSON. The timed work is that of
torchvision: network, pasted masks and threshold.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image
from process import peak_rss_mb, say, threads


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    pixels = np.array(Image.open(Path(sys.argv[2])).convert("RGB"))
    image = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / 255
    say({"versions": {"onnxruntime": onnxruntime.__version__}})
    for line in sys.stdin:
        request = json.loads(line)
        seconds = []
        for run in range(request["warmup"] + request["repeats"]):
            start = time.perf_counter()
            _, _, scores, masks = session.run(None, {"input": image})
            masks = masks[:, 0] > 0.5
            if run >= request["warmup"]:
                seconds.append(round(time.perf_counter() - start, 4))
        scores = [round(float(score), 6) for score in scores]
        say({"seconds": seconds, "peak_rss_mb": peak_rss_mb(), "detections": len(scores), "scores": scores})


if __name__ == "__main__":
    main()
