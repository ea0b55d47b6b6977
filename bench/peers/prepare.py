"""Writes the inputs of the peers: weights by the goldens' formula, and networks for ONNX Runtime and OpenVINO.

    python bench/peers/prepare.py weights OUT.safetensors
    python bench/peers/prepare.py network OUT.onnx IMAGE MIN_SCORE NMS DETECTIONS
    python bench/peers/prepare.py backbone OUT.onnx HEIGHT WIDTH

Networks are exported by tracing, as in torchvision's own tests: pasting becomes a loop over the cells.
"""

import sys
import warnings
from pathlib import Path

import torch
from network import read_image, resnet50_fpn
from process import say
from safetensors.torch import save_file

OPSET = 17


def export(model: torch.nn.Module, inputs: tuple, path: str) -> None:
    warnings.filterwarnings("ignore")
    torch.onnx.export(model, inputs, path, opset_version=OPSET, input_names=["input"], dynamo=False)


class Levels(torch.nn.Module):
    """Feature maps of the backbone as a list, which a graph can have as outputs."""

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return list(self.backbone(images).values())


@torch.inference_mode()
def main() -> None:
    kind, path, *rest = sys.argv[1:]
    if kind == "weights":
        save_file({key: value.contiguous() for key, value in resnet50_fpn().state_dict().items()}, path)
    elif kind == "network":
        image, min_score, nms, detections = rest
        model = resnet50_fpn(
            box_score_thresh=float(min_score), box_nms_thresh=float(nms), box_detections_per_img=int(detections)
        )
        export(model, ([read_image(Path(image))],), path)
    elif kind == "backbone":
        export(Levels(resnet50_fpn().backbone), (torch.zeros(1, 3, int(rest[0]), int(rest[1])),), path)
    else:
        raise SystemExit(f"expected weights, network or backbone, not {kind}")
    say({"written": path})


if __name__ == "__main__":
    main()
