"""Functions for all goldens: writing files, reading images, comparing answers."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

REFERENCE = f"torchvision {torchvision.__version__}, torch {torch.__version__}"
Answer = TypeVar("Answer")
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]


@dataclass
class Job:
    """Output folder, image folder and random generator of a module."""

    out: Path
    data: Path
    rng: np.random.Generator
    images: list[str] = field(default_factory=list)
    """Images to use instead of random ones, relative to `data`."""

    def tensor(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return torch.from_numpy(self.rng.uniform(low, high, shape).astype(np.float32))

    def draw(self, folder: str, count: int) -> list[str]:
        """`count` different images of `folder`, relative to `data`; the given ones if there are any."""
        if self.images:
            return self.images[:count]
        names = sorted(path.name for path in (self.data / folder).glob("*.png"))
        return [f"{folder}/{name}" for name in self.rng.choice(names, count, replace=False)]


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], **metadata: object) -> None:
    encoded = {key: json.dumps(value) for key, value in metadata.items()}
    save_file({key: value.contiguous() for key, value in tensors.items()}, path, {**encoded, "reference": REFERENCE})


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        metadata = {key: json.loads(value) for key, value in file.metadata().items() if key != "reference"}
    return tensors, metadata


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def read_rgb(path: Path) -> torch.Tensor:
    """An image as 3 x H x W in [0, 1]. Alpha is dropped, not blended."""
    pixels = np.array(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def normalise(x: torch.Tensor, mean: list[float] = IMAGENET_MEAN, std: list[float] = IMAGENET_STD) -> torch.Tensor:
    return (x - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


SPREAD = "largest difference of the reference from itself, with and without oneDNN, with one and two threads"


def variants(compute: Callable[[], Answer]) -> list[Answer]:
    """Answers with and without oneDNN and with one and two threads, which round sums in different orders."""
    before = torch.get_num_threads()
    answers = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for onednn in (True, False):
                with torch.backends.mkldnn.flags(enabled=onednn):
                    answers.append(compute())
    finally:
        torch.set_num_threads(before)
    return answers


def relative_error(answer: torch.Tensor | Sequence[float], golden: torch.Tensor | Sequence[float]) -> float:
    """Largest difference as a share of the golden's largest value."""
    answer, golden = (torch.as_tensor(values, dtype=torch.float64) for values in (answer, golden))
    return ((answer - golden).abs().max() / golden.abs().max().clamp_min(1e-300)).item()


class Difference:
    """Collects differences between answers and a stored golden: one line per value, and whether all are small enough."""

    def __init__(self, subject: str):
        self.subject = subject
        self.close = True

    def tensors(self, name: str, answer: torch.Tensor, golden: torch.Tensor, tolerance: float) -> None:
        if answer.shape != golden.shape:
            self.line(name, f"shape {tuple(answer.shape)} and not {tuple(golden.shape)}", ok=False)
            return
        scale = max(1.0, golden.abs().max().item() if golden.numel() else 0.0)
        worst = (answer.double() - golden.double()).abs().max().item() if golden.numel() else 0.0
        self.line(name, f"largest difference {worst:.2g} of {scale:.3g}", ok=worst <= tolerance * scale)

    def numbers(self, name: str, answer: float, golden: float, tolerance: float) -> None:
        ok = math.isclose(answer, golden, rel_tol=tolerance, abs_tol=tolerance)
        self.line(name, f"{answer!r} against {golden!r}", ok)

    def equal(self, name: str, answer: object, golden: object) -> None:
        self.line(name, "equal" if answer == golden else f"{str(answer)[:80]} and not {str(golden)[:80]}", answer == golden)

    def line(self, name: str, text: str, ok: bool) -> None:
        self.close = self.close and ok
        print(f"{'ok ' if ok else 'BAD'} {self.subject} {name}: {text}")
