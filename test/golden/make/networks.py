"""The two segmenters of the goldens, built from torchvision's parts."""

from pathlib import Path

import torch
from torch import nn
from torchvision.models import resnet, resnet50
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
from torchvision.ops.misc import FrozenBatchNorm2d

# So many that a sampler takes every candidate, and losses do not depend on random sampling.
EVERY_CANDIDATE = {"rpn_batch_size_per_image": 10**9, "box_batch_size_per_image": 10**9}

SMALL_CONFIG = {
    "backbone": "resnet18",
    "returned_layers": [1, 2, 3],
    "fpn_channels": 128,
    "extra_level": "max pool",
    "anchor_sizes": [8, 16, 32, 64],
    "aspect_ratios": [0.5, 1, 2],
    "roi_levels": ["0", "1", "2"],
    "box_head_hidden": 256,
    "mask_head_channels": [128, 128, 128, 128],
    "mask_predictor_hidden": 128,
    "num_classes": 2,
    "min_size": 256,
    "max_size": 2048,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
    "box_detections_per_img": 500,
    "norm": "BatchNorm2d in eval mode (num_batches_tracked keys are present)",
    "other": "torchvision defaults",
}


def mask_rcnn_resnet50(norm: type[nn.Module] = FrozenBatchNorm2d, **options) -> MaskRCNN:
    """torchvision's `maskrcnn_resnet50_fpn` with two classes; its own builder would choose the norm by the weights."""
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=norm, trainable_layers=5, extra_blocks=LastLevelMaxPool()
    )
    return MaskRCNN(backbone, num_classes=2, **options)


def mask_rcnn_small(config: dict, **options) -> MaskRCNN:
    """The network of `nuclei_small.pth`, as its detections' `config` describes it."""
    body = resnet.__dict__[config["backbone"]](weights=None, norm_layer=config.get("norm_layer"))
    layers = config["returned_layers"]
    widths = [body.inplanes // 8 * 2 ** (layer - 1) for layer in layers]
    channels = config["fpn_channels"]
    backbone = BackboneWithFPN(
        body,
        {f"layer{layer}": str(i) for i, layer in enumerate(layers)},
        widths,
        channels,
        extra_blocks=LastLevelMaxPool(),
    )
    mask_channels = config["mask_head_channels"]
    ratios = tuple(config["aspect_ratios"])
    return MaskRCNN(
        backbone,
        num_classes=None,
        min_size=config["min_size"],
        max_size=config["max_size"],
        image_mean=config["image_mean"],
        image_std=config["image_std"],
        rpn_anchor_generator=AnchorGenerator(
            tuple((size,) for size in config["anchor_sizes"]), (ratios,) * len(config["anchor_sizes"])
        ),
        box_roi_pool=MultiScaleRoIAlign(config["roi_levels"], 7, 2),
        box_head=TwoMLPHead(channels * 7 * 7, config["box_head_hidden"]),
        box_predictor=FastRCNNPredictor(config["box_head_hidden"], config["num_classes"]),
        mask_roi_pool=MultiScaleRoIAlign(config["roi_levels"], 14, 2),
        mask_head=MaskRCNNHeads(channels, mask_channels, 1),
        mask_predictor=MaskRCNNPredictor(mask_channels[-1], config["mask_predictor_hidden"], config["num_classes"]),
        box_detections_per_img=config["box_detections_per_img"],
        **options,
    )


def load_small(path: Path, config: dict, **options) -> MaskRCNN:
    model = mask_rcnn_small(config, **options)
    state = torch.load(path, weights_only=True)
    model.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in state.items()})
    return model.eval()
