"""Networks and image reader shared by the peers' scripts."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.models.detection.mask_rcnn import MaskRCNN

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "golden" / "make"))
import formula  # noqa: E402
import networks  # noqa: E402


def read_image(path: Path) -> torch.Tensor:
    """Reads an image as [3, H, W] in 0..1."""
    pixels = np.array(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float() / 255


def resnet50_fpn(**options) -> MaskRCNN:
    """torchvision's network, by default with two classes, with weights from the goldens' formula."""
    model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, **{"num_classes": 2, **options})
    return formula.fill(model).eval()


def stored_config(weights: Path) -> dict:
    with safe_open(weights, "pt") as file:
        return json.loads(file.metadata()["cellroute.config"])


def stretched(image: torch.Tensor, intensity: dict) -> torch.Tensor:
    """Scales the values of an image by an intensity configuration."""
    if intensity["kind"] == "type-range":
        return image
    ends = (0, 100) if intensity["kind"] == "min-max" else (intensity["low"], intensity["high"])
    low, high = np.percentile(image.numpy(), ends)
    return ((image - low) / (high - low + 1e-6)).clamp(0, 1).float()


def stored(weights: Path, side: int, **options) -> MaskRCNN:
    """Mask R-CNN with the configuration and weights of a cellroute file, for images of `side` x `side`."""
    config = stored_config(weights)
    with safe_open(weights, "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}
    backbone, rpn, box, mask = (config[part] for part in ("backbone", "rpn", "box", "mask"))
    norm = backbone["norm"]
    groups = (lambda channels: nn.GroupNorm(norm["groups"], channels)) if norm["kind"] == "group" else None
    resize = config["resize"]
    smaller = side if resize is None else resize["minSize"] if "minSize" in resize else round(side * resize["scale"])
    model = networks.mask_rcnn_small(
        {
            "backbone": f"resnet{backbone['depth']}",
            "norm_layer": groups,
            "returned_layers": backbone["returnedLayers"],
            "fpn_channels": config["fpn"]["channels"],
            "anchor_sizes": [sizes[0] for sizes in rpn["anchorSizes"]],
            "aspect_ratios": rpn["aspectRatios"][0],
            "roi_levels": [str(i) for i in range(len(backbone["returnedLayers"]))],
            "box_head_hidden": box["hidden"],
            "mask_head_channels": mask["channels"],
            "mask_predictor_hidden": mask["hidden"],
            "num_classes": config["numClasses"],
            "min_size": smaller,
            "max_size": smaller,
            "image_mean": config["imageMean"],
            "image_std": config["imageStd"],
            "box_detections_per_img": box["detectionsPerImage"],
        },
        **options,
    )
    # 16-bit weights are computed in float32.
    floats = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    missing, unexpected = model.load_state_dict(floats, strict=False)
    # Evaluation does not use the norms' number of batches.
    if unexpected or any(not key.endswith("num_batches_tracked") for key in missing):
        raise SystemExit(f"{weights} does not fit this network: missing {missing[:3]}, unexpected {unexpected[:3]}")
    model.transform._skip_resize = resize is None
    return model.eval()
