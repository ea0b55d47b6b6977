"""Exports torchvision's Mask R-CNN (ResNet50-FPN, formula weights) to ONNX: the whole of it, and its backbone alone.

    python bench/peers/onnx_export.py --picture PICTURE --detections 539 --out FOLDER [--backbone-size 800 1088]

Writes backbone.onnx and, unless --backbone-only, whole.onnx (picture to boxes, labels, scores and pasted masks).
"""

import argparse
import json
import warnings
from pathlib import Path

import torch
from network import read_picture, resnet50_fpn


def export(model: torch.nn.Module, sample, path: Path) -> None:
    # The tracing exporter: the newer one cannot follow the detections' number.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (sample,), str(path), dynamo=False, opset_version=17)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--detections", type=int, default=539)
    parser.add_argument("--backbone-size", type=int, nargs=2, default=(800, 1088))
    parser.add_argument("--backbone-only", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = resnet50_fpn(box_detections_per_img=options.detections)
    export(model.backbone, torch.zeros(1, 3, *options.backbone_size), options.out / "backbone.onnx")
    if not options.backbone_only:
        export(model, [read_picture(options.picture)], options.out / "whole.onnx")
    print(json.dumps({"exported": str(options.out)}))


if __name__ == "__main__":
    main()
