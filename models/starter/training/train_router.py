"""Trains the router of the starter ensemble: a narrow ResNet18 that names the modality of a picture.

    python models/starter/training/train_router.py --data DATA --out router

DATA holds `nuclei/` (index.csv, images/; CC0) and `t98g/` (index.csv, images/; MIT). Writes `router.pth`
(a state dict with torchvision's key names, float32) and `router.json` (configuration and scores).
One thread and a seed: the same versions on the same kind of processor give the same weights.
Needs torch, torchvision, numpy and pillow.
"""

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.models.resnet import BasicBlock

CLASSES = ["fluorescence", "histology", "phase-contrast"]
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
SIZE = 128
# The smallest share of a picture's area that a training crop keeps. The t98g pictures are few and large, so they give
# many different small crops; a nucleus picture of 256 x 256 would lose what it is.
SMALLEST_CROP = {"fluorescence": 0.3, "histology": 0.3, "phase-contrast": 0.05}


class NarrowResNet18(nn.Module):
    """torchvision's ResNet18 (its blocks and key names) with `width` channels in the stem instead of 64."""

    def __init__(self, width: int, num_classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._layer(width, width, stride=1)
        self.layer2 = self._layer(width, 2 * width, stride=2)
        self.layer3 = self._layer(2 * width, 4 * width, stride=2)
        self.layer4 = self._layer(4 * width, 8 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        downsample = None
        if stride != 1 or inputs != outputs:
            downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )
        return nn.Sequential(BasicBlock(inputs, outputs, stride, downsample), BasicBlock(outputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def read_split(data: Path, split: str) -> dict[str, list[Image.Image]]:
    """Pictures of one split by class, as RGB. Brightfield is left out: fourteen pictures are too few to judge by."""
    pictures: dict[str, list[Image.Image]] = {name: [] for name in CLASSES}
    for folder in ("nuclei", "t98g"):
        with open(data / folder / "index.csv", newline="") as file:
            for row in csv.DictReader(file):
                if row["split"] == split and row["modality"] in pictures:
                    image = Image.open(data / folder / "images" / f"{row['id']}.png")
                    pictures[row["modality"]].append(image.convert("RGB"))
    return pictures


def centre_box(width: int, height: int) -> tuple[int, int, int, int]:
    """The largest centred square, in whole pixels, as fastai's Resize(method="crop") takes it for validation."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def random_box(width: int, height: int, smallest: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A box of at least `smallest` of the largest square's area, with an aspect ratio from 3/4 to 4/3."""
    side = min(width, height) * np.sqrt(rng.uniform(smallest, 1.0))
    aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)) / 2)
    w, h = min(width, round(side * aspect)), min(height, round(side / aspect))
    left, top = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    return int(left), int(top), int(left + w), int(top + h)


def to_input(image: Image.Image, box: tuple[int, int, int, int]) -> torch.Tensor:
    """3 x SIZE x SIZE in [0, 1]. The crop comes first, so the filter never sees pixels outside of it."""
    resized = image.crop(box).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255


def augmented(image: Image.Image, smallest: float, rng: np.random.Generator) -> torch.Tensor:
    x = to_input(image, random_box(*image.size, smallest, rng))
    if rng.random() < 0.5:
        x = x.flip(2)
    if rng.random() < 0.5:
        x = x.flip(1)
    if rng.random() < 0.5:
        x = x.transpose(1, 2)
    gamma = float(np.exp(rng.uniform(-0.4, 0.4)))
    contrast = float(np.exp(rng.uniform(-0.3, 0.3)))
    brightness = float(rng.uniform(-0.1, 0.1))
    return ((x**gamma - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def normalise(x: torch.Tensor) -> torch.Tensor:
    return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def train(pictures: dict[str, list[Image.Image]], options: argparse.Namespace) -> nn.Module:
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    model = NarrowResNet18(options.width, len(CLASSES)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=options.lr, total_steps=options.steps)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    for step in range(options.steps):
        # Every class is equally likely, whatever the number of its pictures.
        labels = rng.integers(0, len(CLASSES), options.batch)
        batch = []
        for label in labels:
            name = CLASSES[label]
            image = pictures[name][rng.integers(len(pictures[name]))]
            batch.append(augmented(image, SMALLEST_CROP[name], rng))
        loss = criterion(model(normalise(torch.stack(batch))), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 25 == 0:
            print(f"step {step + 1} of {options.steps}: loss {loss.item():.4f}", flush=True)
    return model.eval()


@torch.no_grad()
def confusion_matrix(model: nn.Module, pictures: dict[str, list[Image.Image]]) -> list[list[int]]:
    """Rows are the truth, columns the answer, both in the order of CLASSES."""
    matrix = [[0] * len(CLASSES) for _ in CLASSES]
    for truth, name in enumerate(CLASSES):
        for image in pictures[name]:
            x = normalise(to_input(image, centre_box(*image.size)))
            matrix[truth][int(model(x[None]).argmax())] += 1
    return matrix


def accuracy(matrix: list[list[int]]) -> float:
    return sum(matrix[i][i] for i in range(len(matrix))) / sum(map(sum, matrix))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds nuclei/ and t98g/")
    parser.add_argument("--out", type=Path, required=True, help="path of the results without an extension")
    parser.add_argument("--width", type=int, default=32, help="channels of the stem (64 is torchvision's)")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--lr", type=float, default=2e-3, help="peak of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=3011)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    start = time.monotonic()
    model = train(read_split(options.data, "train"), options)
    seconds = time.monotonic() - start

    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), options.out.with_suffix(".pth"))
    validation = read_split(options.data, "val")
    matrix = confusion_matrix(model, validation)
    half = NarrowResNet18(options.width, len(CLASSES)).eval()
    half.load_state_dict({key: value.half().to(value.dtype) for key, value in model.state_dict().items()})
    report = {
        "architecture": "resnet18",
        "width": options.width,
        "classes": CLASSES,
        "mean": MEAN,
        "std": STD,
        "value_range": "type: RGB / 255, alpha dropped",
        "resize": {
            "method": "crop",
            "size": [SIZE, SIZE],
            "filter": "bilinear, antialiased as Pillow does it, after the crop",
        },
        "parameters": sum(p.numel() for p in model.parameters()),
        "validation": {
            "pictures": {name: len(images) for name, images in validation.items()},
            "accuracy": accuracy(matrix),
            "confusion_matrix": {"rows": "truth", "columns": "answer", "values": matrix},
            "accuracy_float16_weights": accuracy(confusion_matrix(half, validation)),
        },
        "training": {
            "command": f"python models/starter/training/train_router.py --data DATA --out {options.out.name}"
            f" --width {options.width} --steps {options.steps} --batch {options.batch} --lr {options.lr}"
            f" --seed {options.seed}",
            "seconds": round(seconds),
            "python": sys.version.split()[0],
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
    }
    options.out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report["validation"]))


if __name__ == "__main__":
    main()
