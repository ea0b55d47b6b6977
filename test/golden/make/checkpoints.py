"""Checkpoints: the same tensors in a zip, a legacy and a nested file, and files that must be refused."""

import json
import os
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

import common

# File that a malicious checkpoint creates in the current folder if it is executed.
MARKER = "a-checkpoint-was-executed"


class Call:
    """An object that is pickled as a call of `function`, which an unsafe reader executes."""

    def __init__(self, function, argument: str):
        self.function = function
        self.argument = argument

    def __reduce__(self):
        return self.function, (self.argument,)


def tensors_of(job: common.Job) -> OrderedDict[str, torch.Tensor]:
    rows, columns, length = (int(n) for n in job.rng.integers(4, 9, 3))

    def whole(*shape: int) -> torch.Tensor:
        """Small integers, which are exact in every type, so that one list of values is enough."""
        return torch.from_numpy(job.rng.integers(-100, 100, shape)).float()

    base = whole(rows, columns)
    return OrderedDict(
        plain=whole(rows, columns),
        transposed=base.t(),
        sliced=base[1 : rows - 1, 1 : columns - 1],
        shared_a=base,
        shared_b=base,
        half=whole(rows, columns).half(),
        bf16=whole(columns, rows).bfloat16(),
        double=whole(rows, columns).double(),
        i64=whole(length).long(),
        u8=whole(length).abs().byte(),
        flag=whole(length) > 0,
        scalar=torch.tensor(float(job.rng.integers(100)) / 8),
        empty=torch.zeros(0, columns),
        param=nn.Parameter(whole(rows, columns)),
    )


def values_of(tensors: dict[str, torch.Tensor]) -> dict[str, dict]:
    return {
        key: {
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
            "values": value.detach().double().flatten().tolist(),
        }
        for key, value in tensors.items()
    }


def make(job: common.Job) -> None:
    tensors = tensors_of(job)
    torch.save(tensors, job.out / "checkpoint_zip.pth")
    torch.save(tensors, job.out / "checkpoint_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(
        {"model": tensors, "epoch": int(job.rng.integers(1, 99)), "args": {"lr": 0.02, "name": "y"}},
        job.out / "checkpoint_nested.pth",
    )
    common.write_json(job.out / "checkpoint.json", values_of(tensors))

    weight = tensors["plain"]
    torch.save({"w": weight, "x": Call(os.system, f"touch {MARKER}")}, job.out / "hostile_system.pth")
    torch.save(
        {"w": weight, "x": Call(eval, f"__import__('os').system('touch {MARKER}')")},
        job.out / "hostile_eval.pth",
        _use_new_zipfile_serialization=False,
    )
    whole = (job.out / "checkpoint_zip.pth").read_bytes()
    (job.out / "truncated.pth").write_bytes(whole[: int(len(whole) * job.rng.uniform(0.3, 0.9))])
    (job.out / "not_a_checkpoint.pth").write_bytes(b"nothing " * int(job.rng.integers(20, 80)))


def check(golden: Path, data: Path) -> list[common.Difference]:
    stored = json.loads((golden / "checkpoint.json").read_text())
    differences = []
    for name in ("zip", "legacy", "nested"):
        tensors = torch.load(golden / f"checkpoint_{name}.pth", weights_only=True)
        difference = common.Difference(f"checkpoint_{name}.pth")
        difference.equal("values", values_of(tensors["model"] if name == "nested" else tensors), stored)
        differences.append(difference)
    refusals = common.Difference("refused")
    for name in ("hostile_system", "hostile_eval", "truncated", "not_a_checkpoint"):
        try:
            torch.load(golden / f"{name}.pth", weights_only=True)
            refusals.line(name, "was read", ok=False)
        except Exception as error:
            refusals.line(name, f"refused with {type(error).__name__}", ok=True)
    differences.append(refusals)
    return differences
