"""torchvision's side of bench/train_step.mjs: runs a training step and prints a line of JSON for each line on stdin.

Writes the initial weights of both sides (the goldens' formula) to the path in the task. Masks are decoded to dense tensors
once, before the measurement.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from network import formula, networks
from PIL import Image
from process import peak_rss_mb, say
from pycocotools import mask as coco_mask
from safetensors.torch import save_file
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.ops.misc import FrozenBatchNorm2d

NORMS = {"frozen-batch": FrozenBatchNorm2d, "batch": nn.BatchNorm2d}
STAGES = ["layer4", "layer3", "layer2", "layer1", "conv1"]


def build(task: dict) -> MaskRCNN:
    if task["network"] == "r50":
        model = networks.mask_rcnn_resnet50(NORMS[task["norm"]])
    else:
        model = networks.mask_rcnn_small(networks.SMALL_CONFIG)
    if task["minSize"] is None:
        model.transform._skip_resize = True
    else:
        model.transform.min_size = (task["minSize"],)
    formula.fill(model)
    count = task["trainableLayers"]
    trained = STAGES[:count] + (["bn1"] if count == 5 else [])
    for name, parameter in model.backbone.body.named_parameters():
        parameter.requires_grad_(any(name.startswith(stage) for stage in trained))
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(task["updateStatistics"])
    return model


def read(task: dict) -> tuple[list[torch.Tensor], list[dict]]:
    size = [task["height"], task["width"]]
    images, targets = [], []
    for entry in task["images"]:
        pixels = np.array(Image.open(entry["path"]).convert("RGB"))
        images.append(torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)
        encoded = [{"size": size, "counts": counts.encode()} for counts in entry["masks"]]
        boxes = torch.tensor(coco_mask.toBbox(encoded), dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        dense = torch.from_numpy(coco_mask.decode(encoded)).permute(2, 0, 1).contiguous()
        labels = torch.ones(len(encoded), dtype=torch.int64)
        targets.append({"boxes": boxes, "labels": labels, "masks": dense})
    return images, targets


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    torch.manual_seed(1)
    model = build(task)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, task["weights"])
    images, targets = read(task)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-4, momentum=0.9, weight_decay=0.0005)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=task["precision"] == "bfloat16")

    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    say({**versions, "threads": torch.get_num_threads()})
    for _ in sys.stdin:
        start = time.perf_counter()
        with autocast:
            losses = model(images, targets)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        values = {name: loss.item() for name, loss in losses.items()}
        seconds = time.perf_counter() - start
        say({"seconds": seconds, "losses": values, "peak_rss_mb": peak_rss_mb()})


if __name__ == "__main__":
    main()
