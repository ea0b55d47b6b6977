"""The weight formula of the goldens: weights are computed from the names of their keys, so that no large file is needed.

Element i of a tensor is computed from u = top 24 bits of splitmix64 / 2^24, with the state
fnv1a64(key) + (i + 1) * 0x9E3779B97F4A7C15.
"""

import math

import numpy as np
import torch
from torch import nn

import common

CHECKED_KEYS = ["backbone.body.conv1.weight", "roi_heads.box_head.fc6.weight", "é"]
SCALED_DOWN = ("cls_logits", "bbox_pred", "box_predictor", "mask_fcn_logits")


def fnv1a64(text: str) -> int:
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return state


def uniform(key: str, count: int) -> np.ndarray:
    """`count` float64 numbers in [0, 1), each a multiple of 2^-24."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a64(key)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2**24


def value_of(key: str, shape: torch.Size, last_norm: str) -> torch.Tensor:
    leaf = key.rsplit(".", 1)[-1]
    if leaf in ("num_batches_tracked", "running_var") or (leaf == "weight" and len(shape) == 1):
        constant = {"num_batches_tracked": 0.0, "running_var": 1.0}.get(leaf, 0.2 if f".{last_norm}." in key else 1.0)
        return torch.full(shape, constant)
    signed = 2 * uniform(key, shape.numel()) - 1
    if len(shape) > 1:
        # The weight of a transposed convolution starts with the input channels, so the usual product would be its fan-out.
        fan_in = shape[0] if "conv5_mask" in key else shape[1:].numel()
        signed *= math.sqrt(6 / fan_in) * (0.1 if any(part in key for part in SCALED_DOWN) else 1.0)
    else:
        signed *= 0.05
    return torch.from_numpy(signed.astype(np.float32)).reshape(shape)


def fill(model: nn.Module) -> nn.Module:
    """Overwrites every parameter and buffer of a torchvision network with the formula's values."""
    state = model.state_dict()
    last_norm = "bn3" if any(".bn3." in key for key in state) else "bn2"
    model.load_state_dict({key: value_of(key, value.shape, last_norm).to(value.dtype) for key, value in state.items()})
    return model


def make(job: common.Job) -> None:
    common.write_json(job.out / "formula_check.json", {key: uniform(key, 4).tolist() for key in CHECKED_KEYS})


def check(golden, data) -> list[common.Difference]:
    import json

    difference = common.Difference("formula_check.json")
    for key, first in json.loads((golden / "formula_check.json").read_text()).items():
        difference.equal(key, uniform(key, len(first)).tolist(), first)
    return [difference]
