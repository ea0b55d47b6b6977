import type { WeightsFile } from './table.js';

/** How the names of the tensors of networks that cellroute runs begin: Mask R-CNN, and ResNet with its heads. */
const OWN_NAMES = [/^(backbone\.(body|fpn)|rpn|roi_heads)\./, /^(conv1|bn1|layer\d|fc|head)\./];

/** Parts that all names begin with, from none to all: '', 'module.', 'module.model.'. */
function commonPrefixes(names: readonly string[]): string[] {
  const prefixes = [''];
  const parts = names[0]?.split('.').slice(0, -1) ?? [];
  for (const part of parts) {
    const longer = `${prefixes.at(-1)}${part}.`;
    if (!names.every((name) => name.startsWith(longer))) break;
    prefixes.push(longer);
  }
  return prefixes;
}

/** Name of the tensor that torch's AveragedModel stores beside the network. */
const AVERAGES = 'n_averaged';

/**
 * A file whose tensors have the names of the network itself, where all of them begin with what wrappers of the network
 * (DataParallel, torch.compile, AveragedModel, Lightning and others) put before them: `module.`, `_orig_mod.`, `model.`,
 * `net.`.
 */
export function withoutWrappers(file: WeightsFile): { file: WeightsFile; removed: string } {
  const own = file.tensors.filter(({ name }) => name !== AVERAGES);
  const names = own.map(({ name }) => name);
  const removed = commonPrefixes(names).find((prefix) =>
    OWN_NAMES.some((pattern) => names.every((name) => pattern.test(name.slice(prefix.length)))),
  );
  if (!removed) return { file, removed: '' };
  const tensors = own.map((entry) => ({ ...entry, name: entry.name.slice(removed.length) }));
  return { file: { ...file, tensors, prefix: file.prefix + removed }, removed };
}

/** Whether tensors have the names of fastai's `vision_learner`: a sequence of a ResNet's body and a head. */
export const hasFastaiNames = (tensors: readonly { name: string }[]): boolean =>
  tensors.some(({ name }) => name === '0.0.weight') && tensors.some(({ name }) => name === '1.8.weight');

/** Common networks that cellroute does not support, identified by tensor names that only they have. */
const FOREIGN: readonly [network: string, names: RegExp][] = [
  [
    "torchvision's maskrcnn_resnet50_fpn_v2 or fasterrcnn_resnet50_fpn_v2",
    /^(roi_heads\.box_head\.\d+\.|backbone\.fpn\.(inner|layer)_blocks\.\d+\.1\.)/,
  ],
  ["torchvision's Keypoint R-CNN", /^roi_heads\.keypoint_/],
  ["torchvision's RetinaNet, FCOS or SSD", /^head\.(classification|regression)_head\./],
  ['detectron2', /^(backbone\.bottom_up|backbone\.fpn_(lateral|output)\d|proposal_generator)\b/],
  ['MMDetection', /^(neck|rpn_head|roi_head|bbox_head|mask_head)\./],
  ['Ultralytics YOLO', /^\d+\.(conv|cv\d|m)\./],
  ['Cellpose', /^(downsample\.down\.|upsample\.up\.)res_/],
  ['Cellpose-SAM', /^encoder\.patch_embed\.proj\./],
  ['Segment Anything', /^(image_encoder|mask_decoder|prompt_encoder)\./],
  ['a U-Net of segmentation_models.pytorch', /^segmentation_head\./],
  ['DETR', /^(transformer\.(en|de)coder\.layers|class_embed|bbox_embed|class_labels_classifier)\./],
  ['Mask2Former', /^(pixel_level_module|transformer_module)\./],
  ['nnU-Net', /^decoder\.seg_layers\./],
  ['CellViT', /^nuclei_(binary|type)_maps?_decoder\./],
  ['HoVer-Net', /^decoder\.(np|hv|tp)\./],
  ['StarDist', /^(dist|prob)_head\./],
];

/** Name of the unsupported network to which tensors belong, if it is known. */
export function foreignNetwork(names: readonly string[]): string | undefined {
  for (const prefix of commonPrefixes(names)) {
    const inside = names.map((name) => name.slice(prefix.length));
    const known = FOREIGN.find(([, pattern]) => inside.some((name) => pattern.test(name)));
    if (known) return known[0];
    // Its names are those of Mask R-CNN without a mask branch.
    const has = (part: string) => inside.some((name) => name.startsWith(part));
    if (has('roi_heads.box_predictor.') && !has('roi_heads.mask_')) return "torchvision's Faster R-CNN";
  }
  return undefined;
}

/** Packages whose checkpoints contain objects of their own, by the beginning of the objects' names. */
const FOREIGN_OBJECTS: readonly [network: string, names: RegExp][] = [
  ['Ultralytics YOLO', /^(ultralytics|models\.yolo)\./],
  ['detectron2', /^(detectron2|fvcore)\./],
  ['MMDetection', /^(mmdet|mmcv|mmengine)\./],
  ['Cellpose', /^cellpose\./],
  ['segmentation_models.pytorch', /^segmentation_models_pytorch\./],
];

/** Name of the unsupported network to which a pickled object belongs, if it is known. */
export const foreignObject = (name: string): string | undefined =>
  FOREIGN_OBJECTS.find(([, pattern]) => pattern.test(name))?.[0];

/** Text near the start of detectron2's files, which are bare pickles. */
export const DETECTRON2_PICKLE =
  /bottom_up|proposal_generator|fpn_lateral|fpn_output|Detectron2|Caffe2|matching_heuristics|blobs/;
