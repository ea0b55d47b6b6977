"""Training steps of narrow ResNet18 classifiers with torchvision's and fastai's head, norms in training mode."""

from pathlib import Path

import torch
from torch import nn
from torchvision.models import resnet

import common
import optimizers

FILE = "classifier_training.safetensors"
STEPS = 3
WIDTH = 2
HIDDEN = 6
CLASSES = 3
Tensors = dict[str, torch.Tensor]


class ConcatPool(nn.Module):
    """fastai's AdaptiveConcatPool2d of size 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.amax((2, 3), keepdim=True), x.mean((2, 3), keepdim=True)], 1)


def concat_pool_head(channels: int) -> nn.Sequential:
    """fastai's create_head."""
    return nn.Sequential(
        ConcatPool(),
        nn.Flatten(),
        nn.BatchNorm1d(2 * channels),
        nn.Dropout(0.25),
        nn.Linear(2 * channels, HIDDEN, bias=False),
        nn.ReLU(),
        nn.BatchNorm1d(HIDDEN),
        nn.Dropout(0.5),
        nn.Linear(HIDDEN, CLASSES, bias=False),
    )


class NarrowResNet18(resnet.ResNet):
    """torchvision's ResNet18 with WIDTH instead of 64 channels in its first layer."""

    def __init__(self, head: str, norm: type[nn.Module]):
        nn.Module.__init__(self)
        self._norm_layer = norm
        self.inplanes, self.dilation, self.groups, self.base_width = WIDTH, 1, 1, 64
        self.conv1 = nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False)
        self.bn1 = norm(WIDTH)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i in range(4):
            layer = self._make_layer(resnet.BasicBlock, WIDTH << i, 2, stride=1 if i == 0 else 2)
            self.add_module(f"layer{i + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        if head == "linear":
            self.fc = nn.Linear(WIDTH * 8, CLASSES)
        else:
            self.head = concat_pool_head(WIDTH * 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if hasattr(self, "fc"):
            return super().forward(x)
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.head(self.layer4(self.layer3(self.layer2(self.layer1(x)))))


def group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(WIDTH, channels)


def network_of(case: dict) -> NarrowResNet18:
    return NarrowResNet18(case["head"], nn.BatchNorm2d if case["norm"] == "batch" else group_norm)


def answers(tensors: Tensors, cases: list[dict]) -> tuple[Tensors, list[list[dict]]]:
    """Final tensors of each case, and the loss and gradient norm of its steps."""
    ends: Tensors = {}
    steps: list[list[dict]] = []
    for c, case in enumerate(cases):
        network = network_of(case)
        start = f"case{c}.start."
        network.load_state_dict({key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)})
        network.train()
        weights = torch.tensor(case["classWeights"]) if case["classWeights"] else None
        optimizer = optimizers.optimizer_of(case, list(network.parameters()))
        inputs = torch.stack([common.normalise(image) for image in tensors["pictures"].float() / 255])
        steps.append([])
        for step in range(STEPS):
            group = optimizer.param_groups[0]
            group["lr"] = case["lr"][step]
            if case["kind"] == "adamw":
                group["betas"] = (case["momentum"][step], case["beta2"])
            else:
                group["momentum"] = case["momentum"][step]
            torch.manual_seed(case["seeds"][step])
            loss = nn.functional.cross_entropy(network(inputs), tensors["labels"], weights)
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(network.parameters(), case["maxGradNorm"] or float("inf"))
            optimizer.step()
            steps[-1].append({"loss": loss.item(), "gradNorm": norm.item()})
        ends.update({f"case{c}.end.{key}": value.clone() for key, value in network.state_dict().items()})
    return ends, steps


def make(job: common.Job) -> None:
    sgd = {"kind": "sgd", "weightDecay": 0.0005, "nesterov": False}
    adamw = {"kind": "adamw", "weightDecay": 0.01, "beta2": 0.99, "eps": 1e-8}
    cases = [
        {**sgd, "head": "linear", "norm": "batch", "classWeights": [1.0, 2.0, 0.5], "maxGradNorm": None},
        {**adamw, "head": "concat-pool", "norm": "batch", "classWeights": [], "maxGradNorm": 0.5},
        {**sgd, "nesterov": True, "head": "linear", "norm": "group", "classWeights": [], "maxGradNorm": None},
    ]
    tensors: Tensors = {
        "pictures": torch.from_numpy(job.rng.integers(0, 256, (5, 3, 36, 44)).astype("uint8")),
        "labels": torch.tensor([0, 2, 1, 1, 0]),
    }
    for c, case in enumerate(cases):
        case["lr"] = [float(value) for value in job.rng.uniform(0.005, 0.02, STEPS)]
        case["momentum"] = [float(value) for value in job.rng.uniform(0.85, 0.95, STEPS)]
        case["seeds"] = [int(value) for value in job.rng.integers(0, 2**53, STEPS)]
        tensors.update({f"case{c}.start.{key}": value.clone() for key, value in network_of(case).state_dict().items()})
    write(job.out / FILE, tensors, cases)


def spread_of(case: int, golden: tuple[Tensors, list[list[dict]]], others: list[tuple[Tensors, list[list[dict]]]]) -> dict:
    """Spread of the reference in a case: losses, gradient norms and final tensors."""
    ends, steps = golden
    own = [key for key, value in ends.items() if key.startswith(f"case{case}.end.") and value.is_floating_point()]
    return {
        **{
            kind: max(
                abs(other[case][i][kind] / step[kind] - 1) for _, other in others for i, step in enumerate(steps[case])
            )
            for kind in ("loss", "gradNorm")
        },
        "end": max(common.relative_error(other[key], ends[key]) for other, _ in others for key in own),
    }


def write(path: Path, tensors: Tensors, cases: list[dict]) -> None:
    ends, steps = answers(tensors, cases)
    others = common.variants(lambda: answers(tensors, cases))
    common.write_tensors(
        path,
        {**tensors, **ends},
        about="each case's network before and after its steps on all images (divided by 255, ImageNet's mean and std), "
        "with torch.manual_seed before each step; losses and gradient norms are in `steps`",
        cases=cases,
        steps=steps,
        width=WIDTH,
        hidden=HIDDEN,
        spread=[spread_of(c, (ends, steps), others) for c in range(len(cases))],
        spread_is=f"{common.SPREAD}; of tensors as a share of the largest value, of the rest as a share of each value",
    )


def check(golden: Path, data: Path) -> list[common.Difference]:
    tensors, metadata = common.read_tensors(golden / FILE)
    difference = common.Difference(FILE)
    ends, steps = answers(tensors, metadata["cases"])
    for name, answer in ends.items():
        difference.tensors(name, answer.float(), tensors[name].float(), 1e-4)
    for c, (case, stored) in enumerate(zip(steps, metadata["steps"])):
        for i, (step, golden_step) in enumerate(zip(case, stored)):
            for key in step:
                difference.numbers(f"case {c} step {i} {key}", step[key], golden_step[key], 1e-4)
    return [difference]
