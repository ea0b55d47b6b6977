"""Trains an exported network by the recipe of torchvision's tutorial on object detection, for a number of minutes.

Usage: python torchvision-recipe.py FOLDER START MINUTES

FOLDER has start.py, which `cellroute export-python` wrote, and per image NAME.image.png and NAME.labels.png. It gets
trained.safetensors, with the configuration of START. The last line of the output is JSON with the number of steps.

The recipe: whole images in batches of 2, flipped at random; SGD with a learning rate of 0.005, momentum 0.9 and weight decay 0.0005;
linear warm-up in the first epoch; the learning rate falls by 10 after 60 % and 85 % of the time, as in torchvision's training reference.
"""

import json
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torchvision.ops import masks_to_boxes

BATCH = 2
LEARNING_RATE = 0.005

folder, start_file, seconds = Path(sys.argv[1]), sys.argv[2], 60 * float(sys.argv[3])
began = time.monotonic()
sys.path.insert(0, str(folder))
import start  # noqa: E402

torch.manual_seed(0)
random.seed(0)
torch.set_num_threads(int(os.environ.get("CELLROUTE_THREADS", os.cpu_count() or 1)))


def sample(path: Path) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """An image and the targets of its cells, flipped horizontally at random."""
    image = start.to_float(start.read_image(path)).contiguous()
    labels = torch.from_numpy(np.array(Image.open(str(path).replace(".image.", ".labels."))).astype(np.int64))
    masks = labels == torch.unique(labels[labels > 0])[:, None, None]
    if random.random() < 0.5:
        image, masks = image.flip(-1), masks.flip(-1)
    boxes = masks_to_boxes(masks) + torch.tensor([0.0, 0.0, 1.0, 1.0])
    return image, {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64), "masks": masks.to(torch.uint8)}


paths = sorted(folder.glob("*.image.png"))
model = start.load_model(start_file).train()
optimizer = torch.optim.SGD(
    [parameter for parameter in model.parameters() if parameter.requires_grad],
    lr=LEARNING_RATE,
    momentum=0.9,
    weight_decay=0.0005,
)
step, queue = 0, []
warmup = max(1, len(paths) // BATCH)
while (used := time.monotonic() - began) < seconds:
    if len(queue) < BATCH:
        queue = random.sample(paths, len(paths))
    images, targets = zip(*(sample(queue.pop()) for _ in range(BATCH)))
    decay = 1 if used < 0.6 * seconds else 0.1 if used < 0.85 * seconds else 0.01
    for group in optimizer.param_groups:
        group["lr"] = LEARNING_RATE * decay * min(1, (step + 1) / warmup)
    loss = sum(model(list(images), list(targets)).values())
    if not torch.isfinite(loss):
        raise SystemExit(f"the loss is {loss.item()} at step {step}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
    print(f"step {step}, loss {loss.item():.3f}, {time.monotonic() - began:.0f} s", file=sys.stderr)

with safe_open(start_file, "pt") as file:
    metadata = file.metadata()
    names = set(file.keys())
state = {name: value.detach().contiguous() for name, value in model.state_dict().items() if name in names}
save_file(state, folder / "trained.safetensors", metadata)
print(json.dumps({"steps": step, "seconds": time.monotonic() - began, "torch": torch.__version__}))
