"""A small network with real weights: its detections, five steps of its training, and a one-cycle schedule."""

import copy
import csv
import json
from pathlib import Path

import torch
from torch import nn
from torchvision.models.detection import MaskRCNN

import common
import masks
import networks

WEIGHTS = "nuclei_small.pth"
STEPS = 5
OPTIMIZER = {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.0005}
Detections = dict[str, torch.Tensor]


def read_min_max(path: Path) -> torch.Tensor:
    x = common.read_rgb(path)
    return (x - x.min()) / (x.max() - x.min() + 1e-6)


# detections


def with_resize(model: MaskRCNN, resize: str) -> MaskRCNN:
    """Sets how the network resizes images.

    - "off": not at all, in training and evaluation.
    - "none": torchvision's `_skip_resize`, which applies in training only. In evaluation such an image is resized as
      the network's `min_size` and `max_size` say; nuclei_small_detections.json has entries made that way.
    - "min_size N": to a short side of N, or as much as `max_size` allows.
    """
    transform = model.transform
    vars(transform).pop("resize", None)
    transform._skip_resize = resize == "none"
    if resize == "off":
        transform.resize = lambda image, target=None: (image, target)
    elif resize != "none":
        transform.min_size = (int(resize.removeprefix("min_size ")),)
    return model


@torch.no_grad()
def detect(model: MaskRCNN, image: torch.Tensor, resize: str) -> Detections:
    return with_resize(model, resize)([image])[0]


def entry_of(name: str, resize: str, image: torch.Tensor, found: Detections) -> dict:
    def at(threshold: float) -> list[str]:
        return [masks.encode((mask > threshold).numpy())["counts"] for mask in found["masks"][:, 0]]

    return {
        "image": name,
        "resize": resize,
        "size": list(image.shape[1:]),
        "boxes": found["boxes"].tolist(),
        "scores": found["scores"].tolist(),
        "labels": found["labels"].tolist(),
        "masks_at_0_5": at(0.5),
        "masks_at_0_6": at(0.6),
    }


def is_stable(found: Detections, exact: Detections) -> bool:
    """Whether float64 finds the same detections. Otherwise a comparison would depend on rounding in float32."""
    if len(found["scores"]) != len(exact["scores"]) or len(found["scores"]) == 0:
        return False
    if not torch.allclose(found["boxes"].double(), exact["boxes"], rtol=0, atol=2e-3):
        return False
    if not torch.allclose(found["scores"].double(), exact["scores"], rtol=0, atol=2e-5):
        return False
    return all(torch.equal(found["masks"] > t, exact["masks"] > t) for t in (0.5, 0.6))


def double(model: MaskRCNN) -> MaskRCNN:
    return copy.deepcopy(model).double()


def detect_exactly(model: MaskRCNN, image: torch.Tensor, resize: str) -> Detections:
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # torchvision creates some constants in the default type
    try:
        return detect(model, image.double(), resize)
    finally:
        torch.set_default_dtype(previous)


def candidates(job: common.Job, count: int) -> list[str]:
    """At least `count` images in random order. Some are histology and phase contrast, unknown to the network."""
    if job.images:
        return job.images
    with open(job.data / "nuclei" / "index.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["width"]) <= 700]
    names = {
        modality: [f"nuclei/images/{row['id']}.png" for row in rows if row["modality"] == modality]
        for modality in ("fluorescence", "histology")
    }
    fluorescence = job.rng.permutation(names["fluorescence"])[: 4 * count]
    histology = job.rng.permutation(names["histology"])[:count]
    mixed = [str(name) for five in zip(*[iter(fluorescence)] * 4, histology) for name in five]
    if (job.data / "t98g").is_dir():
        mixed.insert(1, job.draw("t98g/images", 1)[0])
    return mixed


def make_detections(job: common.Job, source: Path, perturb: bool, count: int = 8) -> None:
    config = copy.deepcopy(networks.SMALL_CONFIG)
    config["min_size"] = int(job.rng.choice([192, 224, 288, 320]))
    # So small that the longer side of a wide image determines the scale.
    config["max_size"] = int(config["min_size"] * 1.25)
    config["box_detections_per_img"] = int(job.rng.choice([25, 40, 100]))
    state = torch.load(source / WEIGHTS, weights_only=True)
    if perturb:
        generator = torch.Generator().manual_seed(int(job.rng.integers(2**31)))
        for value in state.values():
            if value.is_floating_point() and value.ndim > 1:
                value.copy_(value.float() * (1 + 0.03 * torch.randn(value.shape, generator=generator)))
        config["anchor_sizes"] = [7, 14, 28, 56]
        config["image_mean"] = [0.48, 0.5, 0.53]
        config["image_std"] = [0.24, 0.25, 0.27]
    torch.save(state, job.out / WEIGHTS)

    model = networks.load_small(job.out / WEIGHTS, config)
    names = candidates(job, 3 * count)
    write_detections(job, "nuclei_small_detections.json", model, config, names, count, ["none", f"min_size {config['min_size']}"])
    # Full size is slow in float64, so only small images are used.
    small = [name for name in names if name.startswith("nuclei/")]
    write_detections(job, "nuclei_small_unresized.json", model, config, small, 3, ["off"])


def write_detections(
    job: common.Job, file: str, model: MaskRCNN, config: dict, names: list[str], count: int, resizes: list[str]
) -> None:
    """Writes detections of the first `count` stable images of `names`, alternating between `resizes`."""
    exact = double(model)
    entries: list[dict] = []
    for name in names:
        resize = resizes[len(entries) % len(resizes)]
        image = read_min_max(job.data / name)
        found = detect(model, image, resize)
        if is_stable(found, detect_exactly(exact, image, resize)):
            entries.append(entry_of(name, resize, image, found))
        if len(entries) == count:
            break
    if len(entries) < count:
        raise RuntimeError(f"only {len(entries)} images on which float32 and float64 agree")
    common.write_json(
        job.out / file,
        {
            "config": config,
            "checkpoint": f"{WEIGHTS} (float16; computed in float32)",
            "preprocessing": "PIL RGB (alpha dropped) / 255 = x, then (x - min) / (max - min + 1e-6) over the whole "
            "image, all channels together; then the config mean/std",
            "masks": "COCO compressed RLE of probability > threshold",
            "detections": entries,
        },
    )


# training


def train(weights: Path, config: dict, images: list[torch.Tensor], targets: list[dict]) -> list[dict]:
    model = networks.load_small(
        weights,
        networks.SMALL_CONFIG,
        rpn_pre_nms_top_n_train=config["rpn_pre_nms_top_n"],
        rpn_post_nms_top_n_train=config["rpn_post_nms_top_n"],
        **networks.EVERY_CANDIDATE,
    )
    with_resize(model, "none").train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    optimizer = torch.optim.SGD(model.parameters(), **OPTIMIZER)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, steps_per_epoch=5, epochs=10)
    steps = []
    for _ in range(STEPS):
        losses = model(images, targets)
        total = sum(losses.values())
        group = optimizer.param_groups[0]
        steps.append(
            {
                "total": total.item(),
                "lr": group["lr"],
                "momentum": group["momentum"],
                **{name: loss.item() for name, loss in losses.items()},
            }
        )
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
    return steps


def read_training(data: Path, config: dict) -> tuple[list[torch.Tensor], list[dict]]:
    count = config["instances_used_per_image"]
    images = [read_min_max(data / name) for name in config["images"]]
    return images, [masks.target(masks.of_image(data, name)[:count]) for name in config["images"]]


def make_training(job: common.Job) -> None:
    config = {
        "images": [name for name in candidates(job, 2) if name.startswith("nuclei/")][:2],
        "instances_used_per_image": int(job.rng.integers(8, 30)),
        "resize": "none",
        "preprocessing": "as in nuclei_small_detections",
        "norm": "frozen (eval mode), its weight and bias train",
        "optimizer": "SGD lr 0.001 momentum 0.9 weight_decay 0.0005, all parameters",
        "scheduler": "OneCycleLR max_lr 0.01 steps_per_epoch 5 epochs 10, stepped every batch",
        "rpn_pre_nms_top_n": int(job.rng.integers(150, 300)),
        "rpn_post_nms_top_n": int(job.rng.integers(60, 120)),
        "sampling": "every candidate",
    }
    images, targets = read_training(job.data, config)
    write_training(job.out / "nuclei_small_training.json", job.out / WEIGHTS, config, images, targets)


def write_training(
    path: Path, weights: Path, config: dict, images: list[torch.Tensor], targets: list[dict]
) -> None:
    steps = train(weights, config, images, targets)
    others = common.variants(lambda: train(weights, config, images, targets))
    spread = [max(distance(other[i], step) for other in others) for i, step in enumerate(steps)]
    about = f"of each step, the {common.SPREAD}: of a loss, as a share of the total"
    common.write_json(path, {**config, "steps": steps, "spread": spread, "spread_is": about})


def distance(step: dict, golden: dict) -> float:
    """Largest difference of a loss as a share of the total."""
    return max(abs(step[name] - golden[name]) for name in golden if name.startswith("loss_")) / golden["total"]


# schedule


def one_cycle(max_lr: float, steps_per_epoch: int, epochs: int) -> list[list[float]]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], **OPTIMIZER)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=max_lr, steps_per_epoch=steps_per_epoch, epochs=epochs
    )
    pairs = []
    for _ in range(steps_per_epoch * epochs):
        pairs.append([optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]])
        optimizer.step()
        if len(pairs) < steps_per_epoch * epochs:
            schedule.step()
    return pairs


def make_one_cycle(job: common.Job) -> None:
    config = {
        "max_lr": round(float(job.rng.uniform(0.001, 0.1)), 4),
        "steps_per_epoch": int(job.rng.integers(5, 40)),
        "epochs": int(job.rng.integers(2, 12)),
    }
    common.write_json(
        job.out / "one_cycle.json", {**config, "lr_and_momentum_before_each_step": one_cycle(**config)}
    )


def make(job: common.Job, source: Path, perturb: bool) -> None:
    """`source` is the folder with the trained weights; `perturb` changes weights, anchors and normalisation."""
    make_detections(job, source, perturb)
    make_training(job)
    make_one_cycle(job)


def check_detections(golden: Path, data: Path, file: str) -> common.Difference:
    stored = json.loads((golden / file).read_text())
    model = networks.load_small(golden / WEIGHTS, stored["config"])
    difference = common.Difference(file)
    for entry in stored["detections"]:
        image = read_min_max(data / entry["image"])
        answer = entry_of(entry["image"], entry["resize"], image, detect(model, image, entry["resize"]))
        short = f"{entry['image'][-12:]} {entry['resize']}"
        difference.equal(f"{short} size", answer["size"], entry["size"])
        difference.tensors(f"{short} boxes", torch.tensor(answer["boxes"]), torch.tensor(entry["boxes"]), 1e-5)
        difference.tensors(f"{short} scores", torch.tensor(answer["scores"]), torch.tensor(entry["scores"]), 1e-5)
        for key in ("labels", "masks_at_0_5", "masks_at_0_6"):
            difference.equal(f"{short} {key}", answer[key], entry[key])
    return difference


def check(golden: Path, data: Path) -> list[common.Difference]:
    files = ["nuclei_small_detections.json", "nuclei_small_unresized.json"]
    detections = [check_detections(golden, data, file) for file in files if (golden / file).exists()]

    stored = json.loads((golden / "nuclei_small_training.json").read_text())
    training = common.Difference("nuclei_small_training.json")
    for i, (answer, step) in enumerate(zip(train(golden / WEIGHTS, stored, *read_training(data, stored)), stored["steps"])):
        for key in step:
            training.numbers(f"step {i} {key}", answer[key], step[key], 1e-4)

    stored = json.loads((golden / "one_cycle.json").read_text())
    schedule = common.Difference("one_cycle.json")
    golden_pairs = stored.pop("lr_and_momentum_before_each_step")
    schedule.tensors("pairs", torch.tensor(one_cycle(**stored)), torch.tensor(golden_pairs), 1e-12)
    return [*detections, training, schedule]
