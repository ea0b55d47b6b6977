"""Pillow's bilinear resize, and fastai's crop before it: 8-bit images and one of floats."""

from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image

import common


def resized(pixels: torch.Tensor, height: int, width: int, crop: bool) -> torch.Tensor:
    """H x W, or H x W x 3; floats without channels only."""
    image = Image.fromarray(pixels.numpy())
    if crop:
        # The largest central part with the target's aspect ratio, as fastai's Resize in validation.
        ratio = min(image.width / width, image.height / height)
        part = (max(int(ratio * width), 1), max(int(ratio * height), 1))
        left, top = (image.width - part[0]) // 2, (image.height - part[1]) // 2
        image = image.crop((left, top, left + part[0], top + part[1]))
    return torch.from_numpy(np.array(image.resize((width, height), Image.Resampling.BILINEAR)))


def answers(tensors: dict[str, torch.Tensor], cases: list[dict]) -> dict[str, torch.Tensor]:
    return {
        f"out{i}": resized(tensors[case["picture"]], case["height"], case["width"], case["crop"])
        for i, case in enumerate(cases)
    }


def make(job: common.Job) -> None:
    def side(low: int, high: int) -> int:
        return int(job.rng.integers(low, high))

    images = {
        "rgb": torch.from_numpy(job.rng.integers(0, 256, (side(30, 60), side(40, 80), 3), dtype=np.uint8)),
        "grey": torch.from_numpy(job.rng.integers(0, 256, (side(30, 90), side(20, 60)), dtype=np.uint8)),
        "float": job.tensor(side(20, 60), side(20, 60), low=-3, high=3),
    }
    cases = []
    for name, image in images.items():
        height, width = image.shape[:2]
        sizes = [
            (side(5, 30), side(5, 30)),  # smaller
            (side(90, 120), side(90, 120)),  # larger
            (side(5, 20), side(90, 120)),  # smaller in one direction and larger in the other
            (height, side(5, 20)),  # rows only
            (side(90, 120), width),  # columns only
            (1, 1),
        ]
        cases += [
            {"picture": name, "height": h, "width": w, "crop": crop} for h, w in sizes for crop in (False, True)
        ]
    common.write_tensors(
        job.out / "resize.safetensors",
        {**images, **answers(images, cases)},
        cases=cases,
        about="out_i = the case's image, cropped to the middle or not, resized bilinearly by Pillow",
        pillow=PIL.__version__,
    )


def check(golden: Path, data: Path) -> list[common.Difference]:
    tensors, metadata = common.read_tensors(golden / "resize.safetensors")
    difference = common.Difference("resize.safetensors")
    for name, answer in answers(tensors, metadata["cases"]).items():
        difference.tensors(name, answer, tensors[name], 0)
    return [difference]
