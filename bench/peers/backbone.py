"""Runs the backbone (ResNet50 with feature pyramid) alone at the network's input size, with one of three runtimes.

    python bench/peers/backbone.py torchvision|onnxruntime|openvino float32|bfloat16 HEIGHT WIDTH [BACKBONE.onnx]

Prints a line when ready; then, for each line {"warmup", "repeats"} on stdin, a line of JSON. The input is random and constant.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from process import peak_rss_mb, say, threads


def by_torchvision(precision: str, height: int, width: int, path: str | None) -> tuple[Callable, str]:
    import torch
    import torchvision
    from network import resnet50_fpn

    backbone = resnet50_fpn().backbone
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def run(images: np.ndarray) -> None:
        with torch.inference_mode(), autocast:
            backbone(torch.from_numpy(images))

    return run, torchvision.__version__


def by_onnxruntime(precision: str, height: int, width: int, path: str | None) -> tuple[Callable, str]:
    import onnxruntime

    if precision != "float32":
        raise SystemExit("ONNX Runtime's CPU kernels compute in float32")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"input": images}), onnxruntime.__version__


def by_openvino(precision: str, height: int, width: int, path: str | None) -> tuple[Callable, str]:
    import openvino

    hints = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": str(threads()),
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", hints)
    request = compiled.create_infer_request()
    return lambda images: request.infer([images]), openvino.__version__.split("-")[0]


RUNTIMES = {"torchvision": by_torchvision, "onnxruntime": by_onnxruntime, "openvino": by_openvino}


def main() -> None:
    runtime, precision, height, width, *path = sys.argv[1:]
    run, version = RUNTIMES[runtime](precision, int(height), int(width), path[0] if path else None)
    images = np.random.default_rng(1).standard_normal((1, 3, int(height), int(width)), dtype=np.float32)
    say({"versions": {runtime: version}})
    for line in sys.stdin:
        request = json.loads(line)
        seconds = []
        for repeat in range(request["warmup"] + request["repeats"]):
            start = time.perf_counter()
            run(images)
            if repeat >= request["warmup"]:
                seconds.append(round(time.perf_counter() - start, 4))
        say({"seconds": seconds, "peak_rss_mb": peak_rss_mb()})


if __name__ == "__main__":
    main()
