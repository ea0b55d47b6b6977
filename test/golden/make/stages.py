"""All stages of the original notebook's network with formula weights on one image, and ResNet18's logits."""

import json
from pathlib import Path

import torch
from torchvision.models import resnet18

import common
import formula
import networks

FOLDER = "sartorius/train"
NUM_CLASSES = 3


@torch.no_grad()
def stages_of(image: torch.Tensor, proposals: torch.Tensor) -> tuple[dict[str, torch.Tensor], dict[str, list[int]]]:
    """`proposals` are N x 4 in pixels of the resized image."""
    model = formula.fill(networks.mask_rcnn_resnet50()).eval()
    images, _ = model.transform([image])
    levels = model.backbone(images.tensors)
    objectness, deltas = model.rpn.head(list(levels.values()))
    heads = model.roi_heads
    box_features = heads.box_roi_pool(levels, [proposals], images.image_sizes)
    class_logits, box_regression = heads.box_predictor(heads.box_head(box_features))
    mask_features = heads.mask_roi_pool(levels, [proposals], images.image_sizes)
    answers = {
        "input_sample": images.tensors[0, :, ::16, ::16],
        "box_features_sample": box_features[:, ::8],
        "class_logits": class_logits,
        "box_regression": box_regression,
        "mask_features_sample": mask_features[:, ::16],
        "mask_logits": heads.mask_predictor(heads.mask_head(mask_features)),
    }
    for name, level in levels.items():
        answers[f"fpn_{name}_sample"] = level[0, ::16, ::4, ::4]
        answers[f"fpn_{name}_stats"] = torch.stack([level.mean(), level.std(), level.abs().max()])
    for i, (score, delta) in enumerate(zip(objectness, deltas)):
        answers[f"rpn_objectness_{i}"] = score[0, :, ::4, ::4]
        answers[f"rpn_deltas_{i}"] = delta[0, :, ::4, ::4]
    sizes = {"resized": list(images.tensors.shape), "image_size": list(images.image_sizes[0])}
    return answers, sizes


def make_stages(job: common.Job) -> None:
    name = job.draw(FOLDER, 1)[0]
    image = common.read_rgb(job.data / name)
    # Proposals are random boxes in the resized image: shorter side 800, longer side at most 1333.
    height, width = image.shape[1:]
    scale = min(800 / min(height, width), 1333 / max(height, width))
    count = int(job.rng.integers(4, 8))
    corner = job.tensor(count, 2) * torch.tensor([width, height]) * scale * 0.7
    size = job.tensor(count, 2, low=10, high=250)
    proposals = torch.cat([corner, corner + size], 1)
    proposals[0] = torch.tensor([0.0, 0.0, width * scale, height * scale])
    write_stages(job.out / "maskrcnn_r50_stages.safetensors", name, image, proposals)


def write_stages(path: Path, name: str, image: torch.Tensor, proposals: torch.Tensor) -> None:
    answers, sizes = stages_of(image, proposals)
    others = [other for other, _ in common.variants(lambda: stages_of(image, proposals))]
    common.write_tensors(
        path,
        {"proposals": proposals, **answers},
        image=name,
        **sizes,
        spread={key: max(common.relative_error(other[key], value) for other in others) for key, value in answers.items()},
        spread_is=f"{common.SPREAD}, as a share of a tensor's largest value",
        about="formula weights; torchvision transform (800/1333, ImageNet mean/std, padded to 32); "
        "fpn_*_sample = level[0, ::16, ::4, ::4]; box_features_sample = [:, ::8]; mask_features_sample = [:, ::16]",
    )


@torch.no_grad()
def logits_of(images: list[Path], num_classes: int) -> list[list[float]]:
    model = formula.fill(resnet18(weights=None, num_classes=num_classes)).eval()
    return [model(common.normalise(common.read_rgb(path))[None])[0].tolist() for path in images]


def make_logits(job: common.Job) -> None:
    write_logits(job.out / "resnet18_logits.json", job.data, job.draw(FOLDER, 3))


def write_logits(path: Path, data: Path, names: list[str]) -> None:
    paths = [data / name for name in names]
    logits = logits_of(paths, NUM_CLASSES)
    others = common.variants(lambda: logits_of(paths, NUM_CLASSES))
    spread = [max(common.relative_error(other[i], values) for other in others) for i, values in enumerate(logits)]
    common.write_json(
        path,
        {
            "weights": "formula",
            "num_classes": NUM_CLASSES,
            "preprocessing": "RGB/255, ImageNet mean/std, every pixel (no resize)",
            "spread_is": f"{common.SPREAD}, as a share of the largest logit",
            "cases": [
                {"image": name, "logits": values, "spread": own} for name, values, own in zip(names, logits, spread)
            ],
        },
    )


def make(job: common.Job) -> None:
    make_stages(job)
    make_logits(job)


def check(golden: Path, data: Path) -> list[common.Difference]:
    stored, metadata = common.read_tensors(golden / "maskrcnn_r50_stages.safetensors")
    stages = common.Difference("maskrcnn_r50_stages.safetensors")
    answers, sizes = stages_of(common.read_rgb(data / metadata["image"]), stored["proposals"])
    for key, size in sizes.items():
        stages.equal(key, size, metadata[key])
    for key, answer in answers.items():
        stages.tensors(key, answer, stored[key], 1e-5)

    logits = common.Difference("resnet18_logits.json")
    golden_logits = json.loads((golden / "resnet18_logits.json").read_text())
    cases = golden_logits["cases"]
    answers = logits_of([data / case["image"] for case in cases], golden_logits["num_classes"])
    for case, answer in zip(cases, answers):
        logits.tensors(case["image"], torch.tensor(answer), torch.tensor(case["logits"]), 1e-5)
    return [stages, logits]
