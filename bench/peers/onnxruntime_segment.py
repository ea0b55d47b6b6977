"""Time and peak memory of torchvision's Mask R-CNN, exported to ONNX, in ONNX Runtime: one line of JSON.

    python bench/peers/onnxruntime_segment.py --model whole.onnx --picture PICTURE [--repeats 2] [--warmup 1]
"""

import argparse
import json
import time
from pathlib import Path

import onnxruntime
from network import peak_rss_mb, read_picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--mask-threshold", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=1)
    options = parser.parse_args()
    picture = read_picture(options.picture).numpy()
    session = onnxruntime.InferenceSession(str(options.model), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: picture}
    seconds = []
    for run in range(options.warmup + options.repeats):
        start = time.perf_counter()
        masks = session.run(None, feed)[3][:, 0] > options.mask_threshold
        if run >= options.warmup:
            seconds.append(round(time.perf_counter() - start, 4))
    print(json.dumps({"seconds": seconds, "peak_rss_mb": peak_rss_mb(), "detections": len(masks)}))


if __name__ == "__main__":
    main()
