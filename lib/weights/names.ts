import type { WeightsFile } from './table.js';

/** What wrappers of a network put before the names of its tensors: DataParallel, torch.compile, Lightning and others. */
const WRAPPERS = ['module.', '_orig_mod.', 'model.'];

/** A file whose tensors have the names of the network itself, where all of them begin with the names of wrappers. */
export function withoutWrappers(file: WeightsFile): { file: WeightsFile; removed: string } {
  const { tensors } = file;
  let removed = '';
  for (;;) {
    const next = WRAPPERS.find((wrapper) => tensors.every(({ name }) => name.startsWith(removed + wrapper)));
    if (next === undefined || tensors.length === 0) break;
    removed += next;
  }
  if (removed === '') return { file, removed };
  const renamed = tensors.map((entry) => ({ ...entry, name: entry.name.slice(removed.length) }));
  return { file: { ...file, tensors: renamed, prefix: file.prefix + removed }, removed };
}

/** Networks that people have files of and that cellroute does not run, by names that only they have. */
const FOREIGN: readonly [network: string, names: RegExp][] = [
  [
    "torchvision's maskrcnn_resnet50_fpn_v2 or fasterrcnn_resnet50_fpn_v2",
    /^(rpn\.head\.conv\.1\.|roi_heads\.box_head\.\d+\.|backbone\.fpn\.(inner|layer)_blocks\.\d+\.1\.)/,
  ],
  ["torchvision's Keypoint R-CNN", /^roi_heads\.keypoint_/],
  ["torchvision's RetinaNet or FCOS", /^head\.(classification|regression)_head\./],
  ['detectron2', /^(backbone\.bottom_up|backbone\.fpn_(lateral|output)\d|proposal_generator)\b/],
  ['MMDetection', /^(neck|rpn_head|roi_head|bbox_head|mask_head)\./],
  ['Ultralytics YOLO', /^\d+\.(conv|cv\d|m)\./],
  ['Cellpose', /^(downsample\.down\.|upsample\.up\.)res_/],
  ['Segment Anything', /^(image_encoder|mask_decoder|prompt_encoder)\./],
];

/** The name of the network that tensors belong to, if it is one that is known and not run. */
export function foreignNetwork(names: readonly string[]): string | undefined {
  const known = FOREIGN.find(([, pattern]) => names.some((name) => pattern.test(name)));
  if (known) return known[0];
  const has = (part: string) => names.some((name) => name.startsWith(part));
  // Its names are those of Mask R-CNN without the mask branch.
  return has('roi_heads.box_predictor.') && !has('roi_heads.mask_')
    ? "torchvision's Faster R-CNN"
    : undefined;
}

/** What of detectron2's files, which are bare pickles, stands near their start. */
export const DETECTRON2_PICKLE = /bottom_up|proposal_generator|fpn_lateral|fpn_output|Detectron2/;
