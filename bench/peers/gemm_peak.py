"""Measures the current speed of the machine: GFLOP/s of a large matrix product of LibTorch, in float32 and bfloat16."""

import json
import time

import torch

SIDE = 2048
REPEATS = 5


@torch.inference_mode()
def gflops(dtype: torch.dtype) -> float:
    a, b = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best / 1e9


def main() -> None:
    types = {"float32": torch.float32}
    # Without oneDNN support, a bfloat16 product is a plain loop that takes half a minute.
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        types["bfloat16"] = torch.bfloat16
    print(json.dumps({name: round(gflops(dtype)) for name, dtype in types.items()}))


if __name__ == "__main__":
    main()
