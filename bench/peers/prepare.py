"""What the peers start from, written once: the formula's weights of the network, and what ONNX Runtime and OpenVINO read.

    python bench/peers/prepare.py weights OUT.safetensors
    python bench/peers/prepare.py network OUT.onnx IMAGE MIN_SCORE NMS DETECTIONS
    python bench/peers/prepare.py backbone OUT.onnx HEIGHT WIDTH

Exported by tracing, as torchvision's own tests export it: the paste becomes a loop over the cells.
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
    """Of the backbone, as a list that a graph can have for its outputs."""

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
        raise SystemExit(f"{kind} is neither weights, network nor backbone")
    say({"written": path})


if __name__ == "__main__":
    main()
