"""Explanations of a ResNet18 with formula weights: Grad-CAM by hooks, and integrated gradients by autograd."""

from pathlib import Path

import torch
from torch import nn
from torchvision.models import resnet18

import common
import formula

FOLDER = "nuclei/images"
FILE = "resnet18_explain.safetensors"
NUM_CLASSES = 3
TARGET = 0
STEPS = 8
SAMPLE = 8


def grad_cam(model: nn.Module, x: torch.Tensor, target: int) -> torch.Tensor:
    """Selvaraju et al. 2017: the maps of the last layer weighted by their mean gradient; H x W, at least 0."""
    kept = {}

    def keep(_module: nn.Module, _inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        kept["maps"] = output
        output.register_hook(lambda gradient: kept.update(gradient=gradient))

    handle = model.layer4.register_forward_hook(keep)
    model(x)[0, target].backward()
    handle.remove()
    weights = kept["gradient"].mean((2, 3), keepdim=True)
    map = (weights * kept["maps"]).sum(1, keepdim=True).relu()
    return nn.functional.interpolate(map, x.shape[2:], mode="bilinear", align_corners=False)[0, 0].detach()


def integrated_gradients(model: nn.Module, x: torch.Tensor, target: int, steps: int) -> torch.Tensor:
    """Sundararajan et al. 2017 from zeros, at the midpoint of each part of the path; H x W, summed over channels."""
    total = torch.zeros_like(x)
    for step in range(steps):
        point = (x * ((step + 0.5) / steps)).requires_grad_()
        (gradient,) = torch.autograd.grad(model(point)[0, target], point)
        total += gradient
    return (x * total / steps)[0].sum(0)


def answers_of(path: Path) -> dict[str, torch.Tensor]:
    model = formula.fill(resnet18(weights=None, num_classes=NUM_CLASSES)).eval()
    x = common.normalise(common.read_rgb(path))[None]
    with torch.no_grad():
        logits = torch.stack([model(x)[0], model(torch.zeros_like(x))[0]])
    cam = grad_cam(model, x, TARGET)
    gradients = integrated_gradients(model, x, TARGET, STEPS)
    return {
        "logits": logits,
        "grad_cam_sample": cam[::SAMPLE, ::SAMPLE],
        "integrated_gradients_sample": gradients[::SAMPLE, ::SAMPLE],
        "sums": torch.stack([cam.sum(), gradients.sum()]),
    }


def make(job: common.Job) -> None:
    (name,) = job.draw(FOLDER, 1)
    write(job.out / FILE, job.data, name)


def write(path: Path, data: Path, name: str) -> None:
    answers = answers_of(data / name)
    others = common.variants(lambda: answers_of(data / name))
    common.write_tensors(
        path,
        answers,
        image=name,
        num_classes=NUM_CLASSES,
        target=TARGET,
        steps=STEPS,
        sample=SAMPLE,
        spread={key: max(common.relative_error(other[key], value) for other in others) for key, value in answers.items()},
        spread_is=f"{common.SPREAD}, as a share of a tensor's largest value",
        about="formula weights; RGB/255, ImageNet mean/std, every pixel; logits of the image and of zeros; "
        "samples are [::sample, ::sample]; sums of grad_cam and integrated_gradients",
    )


def check(golden: Path, data: Path) -> list[common.Difference]:
    stored, metadata = common.read_tensors(golden / FILE)
    difference = common.Difference(FILE)
    for key, answer in answers_of(data / metadata["image"]).items():
        difference.tensors(key, answer, stored[key], 1e-4)
    return [difference]
