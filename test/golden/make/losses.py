"""The five losses of the original notebook's network and the gradient norm of every parameter, without random sampling."""

import json
from pathlib import Path

import torch
from torch import nn
from torchvision.ops.misc import FrozenBatchNorm2d

import common
import formula
import masks
import networks

FOLDER = "sartorius/train"
NORMS = {"norm_frozen_result": FrozenBatchNorm2d, "norm_batch_result": nn.BatchNorm2d}


def losses_of(images: list[torch.Tensor], targets: list[dict], norm: type[nn.Module], config: dict) -> dict:
    model = networks.mask_rcnn_resnet50(
        norm,
        min_size=config["min_size"],
        rpn_pre_nms_top_n_train=config["rpn_pre_nms_top_n"],
        rpn_post_nms_top_n_train=config["rpn_post_nms_top_n"],
        **networks.EVERY_CANDIDATE,
    )
    losses = formula.fill(model).train()(images, targets)
    sum(losses.values()).backward()
    return {
        "losses": {name: loss.item() for name, loss in losses.items()},
        "grad_norms": {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None},
    }


def with_spread(images: list[torch.Tensor], targets: list[dict], norm: type[nn.Module], config: dict) -> dict:
    answer = losses_of(images, targets, norm, config)
    others = common.variants(lambda: losses_of(images, targets, norm, config))
    spread = {
        kind: max(abs(other[kind][name] / value - 1) for other in others for name, value in answer[kind].items() if value)
        for kind in ("losses", "grad_norms")
    }
    return {**answer, "spread": spread}


def read(data: Path, config: dict) -> tuple[list[torch.Tensor], list[dict]]:
    rows = config["rows_used_per_image"]
    images = [common.read_rgb(data / name) for name in config["images"]]
    return images, [masks.target(masks.of_image(data, name)[:rows]) for name in config["images"]]


def make(job: common.Job) -> None:
    config = {
        "images": job.draw(FOLDER, 2),
        "rows_used_per_image": int(job.rng.integers(10, 40)),
        "boxes": "half-open: xmax, ymax one past the last pixel",
        "min_size": int(job.rng.integers(200, 300)),
        "rpn_pre_nms_top_n": int(job.rng.integers(100, 300)),
        "rpn_post_nms_top_n": int(job.rng.integers(60, 100)),
        "sampling": "both samplers take every candidate (batch_size_per_image 1e9)",
        "all_layers_train": True,
        "norm_frozen": "FrozenBatchNorm2d, eps 1e-5, as the seed trains",
        "norm_batch": "BatchNorm2d in training mode",
        "spread_is": f"{common.SPREAD}, as a share of each value",
    }
    images, targets = read(job.data, config)
    results = {name: with_spread(images, targets, norm, config) for name, norm in NORMS.items()}
    common.write_json(job.out / "maskrcnn_r50_losses.json", {**config, **results})


def check(golden: Path, data: Path) -> list[common.Difference]:
    stored = json.loads((golden / "maskrcnn_r50_losses.json").read_text())
    images, targets = read(data, stored)
    differences = []
    for name, norm in NORMS.items():
        difference = common.Difference(f"maskrcnn_r50_losses.json {name}")
        answer = losses_of(images, targets, norm, stored)
        for kind in ("losses", "grad_norms"):
            difference.equal(f"{kind}, names", sorted(answer[kind]), sorted(stored[name][kind]))
            worst = max(answer[kind], key=lambda key: abs(answer[kind][key] / (stored[name][kind][key] or 1) - 1))
            difference.numbers(f"{kind}, worst: {worst}", answer[kind][worst], stored[name][kind][worst], 1e-4)
        differences.append(difference)
    return differences
