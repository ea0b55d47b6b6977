"""Checkpoints that checkpoints.py does not create, and a check of files from our own writers.

    python test/golden/make/weights_fixtures.py --out test/golden      # writes weights_*.pth and weights_values.json
    python test/golden/make/weights_fixtures.py --check test/golden    # the reference reads written_tensors.*
"""

import argparse
import json
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn


class Tagged(torch.Tensor):
    """A tensor subclass, as in fastai."""


def tensors_of(generator: torch.Generator) -> OrderedDict[str, torch.Tensor]:
    def whole(*shape: int) -> torch.Tensor:
        return torch.randint(-100, 100, shape, generator=generator).float()

    base = whole(6, 10)
    tagged_parameter = nn.Parameter(whole(3))
    tagged_parameter.note = "kept in the parameter's own state"
    return OrderedDict(
        column=base[:, 3],
        block=base[1:4, 2:9:3],
        turned=base.reshape(2, 3, 10).permute(2, 0, 1),
        bf16_view=whole(4, 5).bfloat16()[::2],
        half_last=whole(8).half()[-1],
        repeated=whole(2, 1).expand(2, 2)[:, :1],
        parameter=nn.Parameter(whole(2, 2)),
        parameter_with_state=tagged_parameter,
        tagged=whole(4).as_subclass(Tagged),
        i8=whole(3).to(torch.int8),
        i16=whole(3).to(torch.int16),
        i32=whole(3).to(torch.int32),
    )


def values_of(tensors: dict[str, torch.Tensor]) -> dict[str, dict]:
    return {
        key: {
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
            "values": value.detach().as_subclass(torch.Tensor).double().flatten().tolist(),
        }
        for key, value in tensors.items()
    }


def make(out: Path) -> None:
    tensors = tensors_of(torch.Generator().manual_seed(11))
    training = {
        "epoch": 4,
        "args": Namespace(lr=0.01, name="x"),
        "best": np.float64(0.25),
        "scheduler": {"steps": [1, 2, 3], "betas": (0.9, 0.99)},
        "state_dict": tensors,
    }
    torch.save(tensors, out / "weights_protocol2.pth")
    torch.save(tensors, out / "weights_protocol4.pth", pickle_protocol=4)
    torch.save(tensors, out / "weights_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(training, out / "weights_training.pth", pickle_protocol=5)
    (out / "weights_values.json").write_text(json.dumps(values_of(tensors), indent=1) + "\n")


def check(golden: Path) -> None:
    zipped = torch.load(golden / "written_tensors.pth", weights_only=True, mmap=True)
    table = load_file(golden / "written_tensors.safetensors")
    assert zipped.keys() == table.keys(), "names differ"
    for key, value in zipped.items():
        same = value.dtype == table[key].dtype and torch.equal(value, table[key])
        print(f"{key}: {value.dtype} {list(value.shape)} {'ok' if same else 'DIFFERS'}")
        assert same, key


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", type=Path)
    options = parser.parse_args()
    if options.out:
        make(options.out)
    if options.check:
        check(options.check)
