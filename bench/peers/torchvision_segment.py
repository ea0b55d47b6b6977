"""Measures time and peak memory of torchvision's Mask R-CNN (ResNet50-FPN, 2 classes) on one image.

    python bench/peers/torchvision_segment.py --image IMAGE [--weights model.pth]

Prints a line when ready; then, for each line {"warmup", "repeats"} on stdin, a line of JSON.

Without --weights, the weights follow the goldens' formula (see test/golden/make/formula.py). The detections are then
meaningless, but every stage has its maximum work, up to --detections. A repeat is what a caller waits for: network,
pasted masks and threshold. Encoding to RLE by pycocotools is timed separately. The image is decoded once before.
Needs torch, torchvision, pillow, pycocotools and safetensors.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from network import read_image, resnet50_fpn, stored, stored_config, stretched
from process import peak_rss_mb, say
from pycocotools import mask as coco_mask
from torchvision.models.detection.mask_rcnn import MaskRCNN


def build(options: argparse.Namespace) -> MaskRCNN:
    if options.stored is not None:
        side = read_image(options.image).shape[1]
        return stored(options.stored, side, box_score_thresh=options.min_score)
    model = resnet50_fpn(
        num_classes=options.classes,
        min_size=options.min_size,
        max_size=options.max_size,
        box_score_thresh=options.min_score,
        box_nms_thresh=options.nms,
        box_detections_per_img=options.detections,
    )
    model.transform._skip_resize = options.no_resize
    if options.weights is None:
        return model
    state = torch.load(options.weights, weights_only=True)
    # Checkpoints with frozen norms have no num_batches_tracked, which evaluation does not use.
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any(not key.endswith("num_batches_tracked") for key in missing):
        raise SystemExit(f"{options.weights} does not fit this network: missing {missing[:3]}, unexpected {unexpected[:3]}")
    return model.eval()


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="state dict; default: weights by formula")
    parser.add_argument("--stored", type=Path, help="a weights file of cellroute with its configuration, for square images")
    parser.add_argument("--classes", type=int, default=2, help="number of classes with the background")
    parser.add_argument("--min-size", type=int, default=800, help="shorter side after the resize")
    parser.add_argument("--max-size", type=int, default=1333, help="maximum longer side after the resize")
    parser.add_argument("--no-resize", action="store_true")
    parser.add_argument("--min-score", type=float, default=0.05)
    parser.add_argument("--nms", type=float, default=0.5, help="IoU above which the lower score is dropped")
    parser.add_argument("--mask-threshold", type=float, default=0.5)
    parser.add_argument("--detections", type=int, default=539, help="maximum number of detections per image")
    parser.add_argument("--threads", type=int, help="torch's threads; default: torch's own choice")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)

    image = read_image(options.image)
    if options.stored is not None:
        image = stretched(image, stored_config(options.stored)["intensity"])
    model = build(options)

    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "torchvision": torchvision.__version__}
    say({"loaded_rss_mb": peak_rss_mb(), "threads": torch.get_num_threads(), "versions": versions})
    for line in sys.stdin:
        request = json.loads(line)
        seconds, encoding = [], []
        for run in range(request["warmup"] + request["repeats"]):
            start = time.perf_counter()
            found = model([image])[0]
            masks = found["masks"][:, 0] > options.mask_threshold
            segmented = time.perf_counter()
            # pycocotools needs column-major order, cells last.
            coco_mask.encode(np.asfortranarray(masks.permute(1, 2, 0).numpy().astype(np.uint8)))
            encoded = time.perf_counter()
            if run >= request["warmup"]:
                seconds.append(round(segmented - start, 4))
                encoding.append(round(encoded - segmented, 4))
        say(
            {
                "seconds": seconds,
                "encoding_seconds": encoding,
                "peak_rss_mb": peak_rss_mb(),
                "detections": len(found["scores"]),
                "scores": [round(score, 6) for score in found["scores"].tolist()],
                "size": list(image.shape[1:]),
            }
        )


if __name__ == "__main__":
    main()
