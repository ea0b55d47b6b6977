"""Operators: roi_align with its gradient, nms, paste_masks, box coder, anchors, matcher.

Each operator has `inputs` (random) and `answers` (torchvision's), so that `check` can recompute a stored golden.
"""

from pathlib import Path

import torch
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import batched_nms, box_iou, nms, roi_align

import common

Tensors = dict[str, torch.Tensor]


def random_boxes(job: common.Job, count: int, width: float, height: float, smallest: float = 1.0) -> torch.Tensor:
    corner = torch.stack([job.tensor(count, high=width), job.tensor(count, high=height)], 1)
    size = torch.stack(
        [job.tensor(count, low=smallest, high=width / 2), job.tensor(count, low=smallest, high=height / 2)], 1
    )
    return torch.cat([corner, corner + size], 1)


# roi_align


def roi_align_answers(inputs: Tensors, cases: list[dict]) -> Tensors:
    answers: Tensors = {}
    for i, case in enumerate(cases):
        features = inputs["features"].clone().requires_grad_()
        out = roi_align(
            features,
            inputs["rois"],
            case["pooled"],
            case["spatial_scale"],
            case["sampling_ratio"],
            case["aligned"],
        )
        answers[f"out{i}"] = out.detach()
        (answers[f"grad{i}"],) = torch.autograd.grad((out * inputs[f"weight{i}"]).sum(), features)
    return answers


def make_roi_align(job: common.Job) -> None:
    batch, channels = int(job.rng.integers(1, 4)), int(job.rng.integers(3, 12))
    height, width = int(job.rng.integers(12, 33)), int(job.rng.integers(12, 41))
    pooled = [[int(side) for side in job.rng.integers(1, 15, 2)] for _ in range(2)]
    cases = [
        {"spatial_scale": 0.25, "pooled": [7, 7], "sampling_ratio": 2, "aligned": False},
        {"spatial_scale": 0.125, "pooled": [14, 14], "sampling_ratio": 3, "aligned": False},
        {"spatial_scale": 0.5, "pooled": pooled[0], "sampling_ratio": 0, "aligned": False},
        {"spatial_scale": 0.3, "pooled": pooled[1], "sampling_ratio": 1, "aligned": True},
        {"spatial_scale": 1.0, "pooled": [4, 2], "sampling_ratio": -1, "aligned": True},
    ]
    count = int(job.rng.integers(30, 60))
    boxes = random_boxes(job, count, 4 * width, 4 * height)
    boxes[0] = torch.tensor([5.0, 6.0, 5.0, 20.0])  # no width
    boxes[1] = torch.tensor([7.0, 7.0, 7.0, 7.0])  # no size at all
    boxes[2] = torch.tensor([-30.0, -20.0, 10.0, 12.0])  # partly outside
    boxes[3] = torch.tensor([9.0 * width, 9.0 * height, 10.0 * width, 10.0 * height])  # completely outside
    boxes[4] = torch.tensor([-5.0, -5.0, 4.0 * width + 5, 4.0 * height + 5])  # everything
    boxes[5] = torch.tensor([-9.0, -9.0, -4.0, -4.0])  # outside at the upper left
    index = torch.from_numpy(job.rng.integers(0, batch, count)).float()
    inputs = {
        "features": job.tensor(batch, channels, height, width, low=-1),
        "rois": torch.cat([index[:, None], boxes], 1),
        **{f"weight{i}": job.tensor(count, channels, *case["pooled"], low=-1) for i, case in enumerate(cases)},
    }
    common.write_tensors(
        job.out / "roi_align.safetensors",
        {**inputs, **roi_align_answers(inputs, cases)},
        cases=cases,
        about="out_i = roi_align(features, rois, case i); grad_i = d sum(out_i*weight_i) / d features",
    )


# nms


def nms_answers(tensors: Tensors, names: list[str], shape: tuple[int, int]) -> Tensors:
    """`names` are keep_T and batched_keep_T, T the IoU threshold; `shape` is that of box_iou."""
    boxes, scores, levels = tensors["boxes"], tensors["scores"], tensors["levels"]
    rows, columns = shape
    answers = {"box_iou": box_iou(boxes[:rows], boxes[rows : rows + columns])}
    for name in names:
        threshold = float(name.rsplit("_", 1)[1])
        batched = name.startswith("batched")
        answers[name] = batched_nms(boxes, scores, levels, threshold) if batched else nms(boxes, scores, threshold)
    return answers


def make_nms(job: common.Job) -> None:
    count = int(job.rng.integers(150, 400))
    rows, columns = int(job.rng.integers(20, 50)), int(job.rng.integers(20, 60))
    first, ties = int(job.rng.integers(10, 90)), 8
    boxes = random_boxes(job, count, 110, 90, smallest=3)
    boxes[-1] = boxes[-2]  # an exact copy
    boxes[-3, 2:] = boxes[-3, :2]  # no area
    # Boxes with equal scores must not suppress one another, because the answer would depend on the sort.
    tied = torch.arange(ties, dtype=torch.float32)
    boxes[first : first + ties] = torch.stack([200 + 40 * tied, 5 * tied, 220 + 40 * tied, 30 + 5 * tied], 1)
    scores = job.tensor(count)
    scores[first : first + ties] = scores[first].clone()
    tensors = {"boxes": boxes, "scores": scores, "levels": torch.from_numpy(job.rng.integers(0, 4, count))}
    low, high = round(float(job.rng.uniform(0.2, 0.4)), 2), round(float(job.rng.uniform(0.5, 0.8)), 2)
    names = [f"keep_{low}", "keep_0.5", f"keep_{high}", f"batched_keep_{high}"]
    common.write_tensors(
        job.out / "nms.safetensors",
        {**tensors, **nms_answers(tensors, names, (rows, columns))},
        about=f"equal scores {first}..{first + ties - 1}: any order among them is fine; "
        f"box_iou of boxes[:{rows}] with boxes[{rows}:{rows + columns}]",
    )


# paste_masks


def make_paste_masks(job: common.Job) -> None:
    height, width = int(job.rng.integers(40, 120)), int(job.rng.integers(40, 120))
    side = int(job.rng.choice([14, 28, 56]))
    w, h = float(width), float(height)
    edges = torch.tensor(
        [
            [0, 0, w, h],  # the whole image
            [0, 0, 4, 4],
            [-7.5, -4.25, 18, 26],  # over the upper left edge
            [w - 20, h - 15, w + 30, h + 30],  # over the lower right edge
            [w - 1, h - 1, w + 40, h + 60],  # one pixel inside
            [20.3, 20.1, 20.7, 20.3],  # smaller than a pixel
            [2.5, 2.5, 3.5, 3.5],  # between pixels
            [12, 6, 13, h - 4],  # a line down
            [6, 12, w - 4, 13],  # a line across
        ]
    )
    boxes = torch.cat([edges, random_boxes(job, int(job.rng.integers(3, 8)), w * 0.8, h * 0.8)])
    # Steep logits as of a trained mask head: most pixels are far from any threshold.
    probs = (job.tensor(len(boxes), 1, side, side, low=-1) * 6).sigmoid()
    common.write_tensors(
        job.out / "paste_masks.safetensors",
        {"boxes": boxes, "probs": probs, "pasted": paste_masks_in_image(probs, boxes, (height, width))},
        about=f"pasted = N x 1 x {height} x {width} probabilities; a mask is pasted > threshold",
    )


# box coder


def box_coder_answers(tensors: Tensors, weights: list[float]) -> Tensors:
    coder = BoxCoder(tuple(weights))
    return {
        "encoded": coder.encode_single(tensors["reference"], tensors["proposals"]),
        "decoded": coder.decode_single(tensors["deltas"], tensors["proposals"]),
    }


def make_box_coder(job: common.Job) -> None:
    count = int(job.rng.integers(30, 90))
    weights = [[10.0, 10.0, 5.0, 5.0], [1.0, 1.0, 1.0, 1.0], [8.0, 12.0, 4.0, 6.0]][int(job.rng.integers(3))]
    deltas = job.tensor(count, 4, low=-6, high=6)
    deltas[0] = torch.tensor([0.0, 0.0, 5 * weights[2], 9 * weights[3]])  # beyond the clamp of both sizes
    tensors = {
        "reference": random_boxes(job, count, 100, 80),
        "proposals": random_boxes(job, count, 100, 80),
        "deltas": deltas,
    }
    common.write_tensors(
        job.out / "box_coder.safetensors",
        {**tensors, **box_coder_answers(tensors, weights)},
        weights=weights,
        about="decode clamps dw, dh at log(1000/16)",
    )


# anchors


def anchors_of(sizes: list[int], ratios: list[float], image: list[int], feature_maps: list[list[int]]) -> torch.Tensor:
    generator = AnchorGenerator(tuple((size,) for size in sizes), (tuple(ratios),) * len(sizes))
    images = ImageList(torch.zeros(1, 3, *image), [tuple(image)])
    return generator(images, [torch.zeros(1, 1, *size) for size in feature_maps])[0]


def make_anchors(job: common.Job) -> None:
    levels = int(job.rng.integers(3, 6))
    image = [int(32 * side) for side in job.rng.integers(3, 9, 2)]
    feature_maps = [[-(-side // (4 << level)) for side in image] for level in range(levels)]
    first = int(job.rng.choice([8, 12, 16]))
    sizes = [first << level for level in range(levels)]
    ratios = [[0.5, 1.0, 2.0], [0.4, 1.0, 2.5], [1.0], [0.33, 0.75, 1.5, 3.0]][int(job.rng.integers(4))]
    common.write_tensors(
        job.out / "anchors.safetensors",
        {"anchors": anchors_of(sizes, ratios, image, feature_maps)},
        sizes=sizes,
        ratios=ratios,
        image=image,
        feature_maps=feature_maps,
    )


# matcher


def matcher_answers(iou: torch.Tensor) -> Tensors:
    return {
        "rpn": Matcher(0.7, 0.3, allow_low_quality_matches=True)(iou),
        "roi": Matcher(0.5, 0.5, allow_low_quality_matches=False)(iou),
    }


def make_matcher(job: common.Job) -> None:
    ground_truths, candidates = int(job.rng.integers(4, 16)), int(job.rng.integers(120, 300))
    ground_truth = random_boxes(job, ground_truths, 100, 80, smallest=8)
    # Half of the candidates are moved ground truths, so that every range between thresholds has some.
    near = ground_truth[torch.from_numpy(job.rng.integers(0, ground_truths, candidates // 2))]
    near = near + job.tensor(len(near), 4, low=-9, high=9)
    near[:, 2:] = torch.maximum(near[:, 2:], near[:, :2] + 1)
    iou = box_iou(ground_truth, torch.cat([random_boxes(job, candidates - len(near), 100, 80), near]))
    common.write_tensors(
        job.out / "matcher.safetensors",
        {"iou": iou, **matcher_answers(iou)},
        about="rpn: 0.7/0.3 with low-quality matches; roi: 0.5/0.5 without; -1 below, -2 between",
    )


def make(job: common.Job) -> None:
    for make_one in (make_roi_align, make_nms, make_paste_masks, make_box_coder, make_anchors, make_matcher):
        make_one(job)


def check(golden: Path, data: Path) -> list[common.Difference]:
    def compare(name: str, answers_of) -> common.Difference:
        tensors, metadata = common.read_tensors(golden / f"{name}.safetensors")
        difference = common.Difference(f"{name}.safetensors")
        for key, answer in answers_of(tensors, metadata).items():
            difference.tensors(key, answer, tensors[key], 1e-6)
        return difference

    def nms_of(tensors: Tensors, _: dict) -> Tensors:
        names = [key for key in tensors if "keep_" in key]
        return nms_answers(tensors, names, tuple(tensors["box_iou"].shape))

    def pasted_of(tensors: Tensors, _: dict) -> Tensors:
        size = tuple(tensors["pasted"].shape[-2:])
        return {"pasted": paste_masks_in_image(tensors["probs"], tensors["boxes"], size)}

    return [
        compare("roi_align", lambda tensors, metadata: roi_align_answers(tensors, metadata["cases"])),
        compare("nms", nms_of),
        compare("paste_masks", pasted_of),
        compare("box_coder", lambda tensors, metadata: box_coder_answers(tensors, metadata["weights"])),
        compare("anchors", lambda _, metadata: {"anchors": anchors_of(**metadata)}),
        compare("matcher", lambda tensors, _: matcher_answers(tensors["iou"])),
    ]
