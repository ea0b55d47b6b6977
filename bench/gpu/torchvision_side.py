"""torchvision's side of bench/gpu/run.mjs: runs one case on a GPU. The case is an argument in JSON; the result is one line of JSON.

With "kind": "prepare" it writes the inputs of both sides: weights by the goldens' formula, and an image of noise.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "golden" / "make"))
import formula  # noqa: E402
import networks  # noqa: E402

task = json.loads(sys.argv[1])


def build():
    """Mask R-CNN with frozen norms and the last three layers of the backbone trainable, as the notebook's network."""
    model = formula.fill(networks.mask_rcnn_resnet50(box_detections_per_img=task["detections"]))
    for name, parameter in model.backbone.body.named_parameters():
        parameter.requires_grad_(name.startswith(("layer2", "layer3", "layer4")))
    return model


def synchronize() -> None:
    if task["device"].startswith("cuda"):
        torch.cuda.synchronize()


def prepare() -> None:
    state = {key: tensor.contiguous() for key, tensor in build().state_dict().items()}
    save_file(state, task["weights"])
    noise = np.random.default_rng(1).integers(0, 256, (task["height"], task["width"], 3), dtype=np.uint8)
    Path(task["image"]).write_bytes(noise.tobytes())


def load_image() -> torch.Tensor:
    pixels = np.frombuffer(Path(task["image"]).read_bytes(), dtype=np.uint8).copy()
    return torch.from_numpy(pixels).view(task["height"], task["width"], 3).permute(2, 0, 1).contiguous()


def segmenting():
    model = build().eval().to(task["device"])
    image = load_image()

    def run() -> dict:
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=task["precision"] == "float16"):
            images = [image.to(task["device"]).float() / 255 for _ in range(task["batch"])]
            found = model(images)
            masks = [one["masks"][:, 0] > 0.5 for one in found]
            if task["fetch"]:
                masks = [some.cpu() for some in masks]
        return {"cells": len(masks[0])}

    return run


def training():
    model = build().train().to(task["device"])
    image = (load_image().float() / 255).to(task["device"])
    masks = torch.zeros((len(task["cells"]), task["height"], task["width"]), dtype=torch.uint8)
    for mask, (x, y, w, h) in zip(masks, task["cells"]):
        mask[y : y + h, x : x + w] = 1
    boxes = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in task["cells"]], dtype=torch.float32)
    target = {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64), "masks": masks}
    target = {key: tensor.to(task["device"]) for key, tensor in target.items()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-5, momentum=0.9, weight_decay=0.0005)

    def run() -> dict:
        losses = model([image] * task["batch"], [target] * task["batch"])
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        return {"losses": {name: loss.item() for name, loss in losses.items()}}

    return run


def main() -> None:
    if task["kind"] == "prepare":
        prepare()
        print("{}")
        return
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = task["precision"] == "tf32"
    run = training() if task["kind"] == "train" else segmenting()
    seconds = []
    for i in range(task["warmup"] + task["repeats"]):
        synchronize()
        start = time.perf_counter()
        result = run()
        synchronize()
        if i >= task["warmup"]:
            seconds.append(time.perf_counter() - start)
    used = None
    if task["device"].startswith("cuda"):
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
        used = int(subprocess.check_output(query, text=True))
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    print(json.dumps({"seconds": seconds, "memoryMiB": used, **result, **versions}))


if __name__ == "__main__":
    main()
