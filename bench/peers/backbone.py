"""Time of the ResNet50-FPN backbone on one picture by a peer: one line of JSON.

    python bench/peers/backbone.py torchvision | onnxruntime | openvino [--model backbone.onnx] [--precision bfloat16]
        [--size 800 1088] [--repeats 5]

onnxruntime computes in float32; torchvision and openvino also in bfloat16.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def torchvision_backbone(options: argparse.Namespace, picture: np.ndarray) -> Callable[[], object]:
    import torch
    from network import resnet50_fpn

    backbone = resnet50_fpn().backbone
    tensor = torch.from_numpy(picture)

    def run() -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bfloat16"):
            return backbone(tensor)

    return run


def onnxruntime_backbone(options: argparse.Namespace, picture: np.ndarray) -> Callable[[], object]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(options.model), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: picture}
    return lambda: session.run(None, feed)


def openvino_backbone(options: argparse.Namespace, picture: np.ndarray) -> Callable[[], object]:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if options.precision == "bfloat16" else "f32"}
    compiled = openvino.Core().compile_model(str(options.model), "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: request.infer([picture])


PEERS = {"torchvision": torchvision_backbone, "onnxruntime": onnxruntime_backbone, "openvino": openvino_backbone}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--size", type=int, nargs=2, default=(800, 1088))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    picture = np.random.default_rng(1).standard_normal((1, 3, *options.size), dtype=np.float32)
    run = PEERS[options.peer](options, picture)
    run()
    run()
    seconds = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        run()
        seconds.append(round(time.perf_counter() - start, 4))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
