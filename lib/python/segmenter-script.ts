import type { MaskRCNNConfig } from '../config/mask-rcnn.js';
import {
  maxLostOf,
  resolveThreshold,
  type SegmentThresholds,
  type ThresholdName,
} from '../inference/thresholds.js';
import { imagePart } from './image-part.js';
import { loadPart, type ScriptFile, usage, weightsLine } from './load-part.js';
import { channelsOf, resnetCall, resnetPart } from './resnet-part.js';
import { literal, plain, type ScriptPart, scriptOf, tuple } from './script.js';

/** The script that rebuilds a Mask R-CNN in torchvision and segments images with it. */
export function segmenterScript(
  config: MaskRCNNConfig,
  thresholds: SegmentThresholds,
  file: ScriptFile,
): string {
  return scriptOf(
    `Finds the cells of an image with torchvision and the Mask R-CNN of ${plain(file.name)}.

Written by cellroute ${file.version} (cellroute export-python). The network, the values that it gets and the thresholds
are those of cellroute, which finds the same cells with \`--tiles off\`: the image is read whole, and the limits of
the network are not raised.

${usage(file)}`,
    constants(config, thresholds, file),
    [
      resnetPart(config.backbone),
      ...transformPart(config),
      networkPart(config, thresholds),
      loadPart('MaskRCNN', file.prefix && `name.removeprefix(${literal(file.prefix)})`),
      imagePart(config.intensity),
      CELLS,
    ],
  );
}

function constants(config: MaskRCNNConfig, thresholds: SegmentThresholds, file: ScriptFile): ScriptPart {
  const value = (name: ThresholdName) => resolveThreshold(name, thresholds, config);
  return {
    imports: [['pathlib', 'Path']],
    text: `
${weightsLine(file)}
CLASS_NAMES = ${literal(config.classNames)}
MIN_SCORE = ${value('minScore')}  # cells that score at least this are kept
MASK_THRESHOLD = ${value('maskThreshold')}  # pixels with a higher probability belong to the cell
MIN_AREA = ${value('minArea')}  # cells with at least this many pixels are kept
# Each pixel belongs to one cell, and cells that lose more than this share of theirs are dropped; None: cells overlap
MAX_LOST = ${literal(maxLostOf(thresholds.removeOverlaps))}`,
  };
}

/** The resize of networks that torchvision's own does not describe. */
function transformPart({ resize }: MaskRCNNConfig): ScriptPart[] {
  if (resize && resize.scale === null) return [];
  const imports = [
    ['torch'],
    ['torch.nn', 'functional as F'],
    ['torchvision.models.detection.transform', 'GeneralizedRCNNTransform', 'resize_boxes'],
  ] as const;
  const [docstring, scale] = resize
    ? [
        `Resizes by a factor and not to a side, so that cells have the same size in small and large images.`,
        `min(${resize.scale}, ${resize.maxSize} / max(height, width))`,
      ]
    : ['Leaves images at their own size.', '1'];
  return [
    {
      imports,
      text: `
class Transform(GeneralizedRCNNTransform):
    """${docstring}"""

    def resize(self, image: torch.Tensor, target: dict | None = None) -> tuple[torch.Tensor, dict | None]:
        height, width = image.shape[-2:]
        scale = ${scale}
        size = (max(1, int(height * scale)), max(1, int(width * scale)))
        image = F.interpolate(image[None], size=size, mode="bilinear", align_corners=False)[0]
        if target is not None:  # in training
            boxes = resize_boxes(target["boxes"], (height, width), size)
            masks = F.interpolate(target["masks"][:, None].float(), size=size)[:, 0].byte()
            target = {**target, "boxes": boxes, "masks": masks}
        return image, target`,
    },
  ];
}

function networkPart(config: MaskRCNNConfig, thresholds: SegmentThresholds): ScriptPart {
  const { backbone, fpn, numClasses, imageMean, imageStd, resize, sizeDivisible, rpn, box, mask } = config;
  const value = (name: ThresholdName) => resolveThreshold(name, thresholds, config);
  const layers = backbone.returnedLayers;
  const returned = layers.map((layer, i) => `"layer${layer}": "${i}"`).join(', ');
  const sizes = tuple(rpn.anchorSizes.map((level) => tuple(level.map(String))));
  const ratios = rpn.aspectRatios.map((level) => tuple(level.map(String)));
  const isSame = ratios.every((level) => level === ratios[0]);
  const anchors = rpn.anchorSizes[0]!.length * rpn.aspectRatios[0]!.length;
  const maskChannels = mask.channels.at(-1)!;
  const fixedSides = resize && resize.scale === null ? resize : undefined;
  const divisible = sizeDivisible === 32 ? '' : `, size_divisible=${sizeDivisible}`;
  const normalisation = `image_mean=${literal(imageMean)},
        image_std=${literal(imageStd)}`;
  return {
    imports: [
      ['numpy as np'],
      ['torchvision.models.detection', 'MaskRCNN'],
      ['torchvision.models.detection.anchor_utils', 'AnchorGenerator'],
      ['torchvision.models.detection.backbone_utils', 'BackboneWithFPN'],
      ['torchvision.models.detection.faster_rcnn', 'FastRCNNPredictor', 'TwoMLPHead'],
      ['torchvision.models.detection.mask_rcnn', 'MaskRCNNHeads', 'MaskRCNNPredictor'],
      ['torchvision.models.detection.rpn', 'RPNHead'],
      ['torchvision.ops', 'MultiScaleRoIAlign'],
    ],
    text: `
def build_model() -> MaskRCNN:
    """The network with random weights."""
    backbone = BackboneWithFPN(
        ${resnetCall(backbone)},
        return_layers={${returned}},
        in_channels_list=[${layers.map((layer) => channelsOf(backbone, layer)).join(', ')}],
        out_channels=${fpn.channels},
    )${fpn.extraLevel ? '' : '\n    backbone.fpn.extra_blocks = None'}
    levels = ${literal(layers.map((_, i) => String(i)))}
    # torchvision keeps scores above its threshold, and cellroute those of at least MIN_SCORE.
    score_threshold = max(${box.scoreThreshold}, float(np.nextafter(np.float32(MIN_SCORE), np.float32(-1))))
    model = MaskRCNN(
        backbone,${fixedSides ? `\n        min_size=${fixedSides.minSize},\n        max_size=${fixedSides.maxSize},` : ''}
        ${normalisation}${divisible},
        rpn_anchor_generator=AnchorGenerator(
            sizes=${sizes},
            aspect_ratios=${isSame ? `(${ratios[0]},) * ${ratios.length}` : tuple(ratios)},
        ),
        rpn_head=RPNHead(${fpn.channels}, ${anchors}, conv_depth=${rpn.convDepth}),
        rpn_pre_nms_top_n_test=${value('rpn.preNmsTopN')},
        rpn_post_nms_top_n_test=${value('rpn.postNmsTopN')},
        rpn_nms_thresh=${value('rpn.nmsThreshold')},
        rpn_score_thresh=${value('rpn.scoreThreshold')},
        box_roi_pool=MultiScaleRoIAlign(levels, ${box.outputSize}, ${box.samplingRatio}),
        box_head=TwoMLPHead(${fpn.channels} * ${box.outputSize} * ${box.outputSize}, ${box.hidden}),
        box_predictor=FastRCNNPredictor(${box.hidden}, ${numClasses}),
        box_score_thresh=score_threshold,
        box_nms_thresh=${value('nmsThreshold')},
        box_detections_per_img=${value('detectionsPerImage')},
        bbox_reg_weights=${tuple(box.regressionWeights.map(String))},
        mask_roi_pool=MultiScaleRoIAlign(levels, ${mask.outputSize}, ${mask.samplingRatio}),
        mask_head=MaskRCNNHeads(${fpn.channels}, ${literal(mask.channels)}, dilation=1),
        mask_predictor=MaskRCNNPredictor(${maskChannels}, ${mask.hidden}, ${numClasses}),
    )${rpn.minSize === 1e-3 ? '' : `\n    model.rpn.min_size = ${rpn.minSize}`}${
      fixedSides
        ? ''
        : `\n    model.transform = Transform(
        min_size=0,  # neither is used
        max_size=0,
        ${normalisation}${divisible},
    )`
    }
    return model`,
  };
}

const CELLS: ScriptPart = {
  imports: [['argparse'], ['warnings'], ['numpy as np'], ['tifffile'], ['torch']],
  text: `
@torch.no_grad()
def segment(model: MaskRCNN, pixels: np.ndarray) -> dict[str, torch.Tensor]:
    """The cells of an image from \`read_image\`, by decreasing score.

    boxes [N, 4] as x1, y1, x2, y2 in pixels, scores [N], labels [N] (1 is the first of CLASS_NAMES) and masks
    [N, H, W], bool.
    """
    image = to_float(pixels).to(next(model.parameters()).device)
    cells = {name: value.cpu() for name, value in model([image])[0].items()}
    cells["masks"] = cells["masks"][:, 0] > MASK_THRESHOLD
    if len(cells["scores"]) == model.roi_heads.detections_per_img:
        warnings.warn("there may be more cells: raise box_detections_per_img", stacklevel=2)
    cells = select(cells, cells["masks"].sum((1, 2)) >= MIN_AREA)
    if MAX_LOST is None:
        return cells
    cells = remove_overlaps(cells)
    return select(cells, cells["masks"].sum((1, 2)) >= MIN_AREA)


def select(cells: dict[str, torch.Tensor], kept: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: value[kept] for name, value in cells.items()}


def remove_overlaps(cells: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Gives each pixel to the cell with the highest score, and drops cells that lose more than MAX_LOST."""
    taken = torch.zeros(cells["masks"].shape[1:], dtype=torch.bool)
    kept = torch.zeros(len(cells["masks"]), dtype=torch.bool)
    for i, mask in enumerate(cells["masks"]):
        free = mask & ~taken
        if mask.sum() - free.sum() > MAX_LOST * mask.sum():
            continue
        mask.copy_(free)
        taken |= free
        kept[i] = True
    return select(cells, kept)


def label_image(cells: dict[str, torch.Tensor]) -> np.ndarray:
    """[H, W] of uint32: 0 is the background, 1 the first cell; where cells overlap, the higher score is on top."""
    labels = np.zeros(cells["masks"].shape[1:], np.uint32)
    for number, mask in reversed(list(enumerate(cells["masks"].numpy(), start=1))):
        labels[mask] = number
    return labels


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the cells of an image.")
    parser.add_argument("image", help="PNG, JPEG, WebP or TIFF")
    parser.add_argument("--weights", default=WEIGHTS, help="default: %(default)s")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: %(default)s")
    parser.add_argument("--labels", metavar="FILE.tif", help="write a label image")
    options = parser.parse_args()
    model = load_model(options.weights).to(options.device)
    cells = segment(model, read_image(options.image))
    print("class score area x1 y1 x2 y2")
    for box, score, label, mask in zip(cells["boxes"], cells["scores"], cells["labels"], cells["masks"]):
        corners = " ".join(f"{value:.1f}" for value in box.tolist())
        print(CLASS_NAMES[label - 1], f"{score:.3f}", int(mask.sum()), corners)
    if options.labels:
        tifffile.imwrite(options.labels, label_image(cells))`,
};
