import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CellClassifier } from '../../../lib/inference/classifier.js';
import { CellSegmenter } from '../../../lib/inference/segmenter.js';
import { openWeights } from '../../../lib/weights/open.js';
import { TensorReader } from '../../../lib/weights/read-tensor.js';
import { sourceOfEntry, type TensorSource } from '../../../lib/weights/source.js';
import { writeWeights } from '../../../lib/weights/write.js';
import { imageBytes, rejection, testEnsemble } from '../../support/sdk.js';
import { pickle, safetensors, temporaryFolder, text } from '../../support/weights.js';

const path = temporaryFolder();
const original = join(testEnsemble, 'classifier.safetensors');

/** The classifier with its tensors under other names, and more tensors. */
async function renamed(
  file: string,
  nameOf: (name: string, index: number) => string,
  more: readonly TensorSource[] = [],
): Promise<string> {
  const weights = await openWeights(original);
  const reader = await TensorReader.open(original);
  try {
    const tensors = weights.tensors.map((entry, i) => sourceOfEntry(reader, entry, nameOf(entry.name, i)));
    await writeWeights(path(file), { tensors: [...more, ...tensors], metadata: weights.metadata });
  } finally {
    await reader.close();
  }
  return path(file);
}

/** Result of `action`, and the process warnings during it. */
async function withWarnings<T>(action: () => Promise<T>): Promise<{ value: T; warnings: string[] }> {
  const spy = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  try {
    const value = await action();
    return { value, warnings: spy.mock.calls.map(([message]) => String(message)) };
  } finally {
    spy.mockRestore();
  }
}

describe('the prefix of a wrapper', () => {
  test.each([
    ...['module.', '_orig_mod.', 'model.', 'net.', 'backbone.', 'learner.classifier.'],
    ...['module._orig_mod.', '_orig_mod.module.', 'model.model.'],
  ])('%s is removed and reported', async (prefix) => {
    const file = await renamed(`wrapped-${prefix}safetensors`, (name) => prefix + name);
    const { value, warnings } = await withWarnings(async () => {
      await using plain = await CellClassifier.load(original);
      await using wrapped = await CellClassifier.load(file);
      const image = imageBytes('small');
      return await Promise.all([plain.classify(image), wrapped.classify(image)]);
    });
    expect(value[1]).toEqual(value[0]);
    expect(warnings).toEqual([`${file}: the prefix '${prefix}' was removed from the names of all tensors`]);
  });

  test("of torch's AveragedModel is removed with its counter", async () => {
    const counter: TensorSource = {
      name: 'n_averaged',
      dtype: 'I64',
      shape: [],
      read: () => Buffer.from(BigInt64Array.of(12n).buffer),
    };
    const file = await renamed('averaged.safetensors', (name) => `module.${name}`, [counter]);
    const { value, warnings } = await withWarnings(async () => {
      await using plain = await CellClassifier.load(original);
      await using averaged = await CellClassifier.load(file);
      const image = imageBytes('small');
      return await Promise.all([plain.classify(image), averaged.classify(image)]);
    });
    expect(value[1]).toEqual(value[0]);
    expect(warnings).toEqual([`${file}: the prefix 'module.' was removed from the names of all tensors`]);
  });

  test('is no prefix where one tensor does not have it, and where the rest does not fit', async () => {
    const some = await renamed('some.safetensors', (name, i) => (i === 0 ? name : `module.${name}`));
    expect(await rejection(CellClassifier.load(some))).toMatchObject({
      code: 'WEIGHTS_MISMATCH',
      message: expect.stringMatching(/does not fit this network \(1 of its/),
    });
    const other = await renamed('other.safetensors', (name) => `model.fc2.0.${name.replace('fc', 'out')}`);
    expect(await rejection(CellClassifier.load(other))).toMatchObject({ code: 'WEIGHTS_MISMATCH' });
  });
});

describe('networks that are not run are refused by name', () => {
  const tensors = (...names: string[]) => {
    const header = Object.fromEntries(
      names.map((name) => [name, { dtype: 'F32', shape: [], data_offsets: [0, 4] }]),
    );
    return safetensors(header, Buffer.alloc(4));
  };
  test.each([
    ["torchvision's maskrcnn_resnet50_fpn_v2", 'roi_heads.box_head.5.weight'],
    ["torchvision's maskrcnn_resnet50_fpn_v2", 'backbone.fpn.inner_blocks.0.1.running_mean'],
    ["torchvision's Keypoint R-CNN", 'roi_heads.keypoint_head.0.weight'],
    ["torchvision's Faster R-CNN", 'roi_heads.box_predictor.cls_score.weight'],
    ["torchvision's Faster R-CNN", 'model.roi_heads.box_predictor.cls_score.weight'],
    ["torchvision's RetinaNet, FCOS or SSD", 'head.classification_head.cls_logits.weight'],
    ["torchvision's RetinaNet, FCOS or SSD", 'head.regression_head.module_list.0.weight'],
    ['detectron2', 'backbone.bottom_up.res2.0.conv1.weight'],
    ['detectron2', 'proposal_generator.rpn_head.conv.weight'],
    ['detectron2', 'backbone.fpn_lateral2.weight'],
    ['MMDetection', 'neck.lateral_convs.0.conv.weight'],
    ['Ultralytics YOLO', 'model.0.conv.weight'],
    ['Segment Anything', 'image_encoder.pos_embed'],
    ['Cellpose', 'net.downsample.down.res_down_0.conv.conv_0.0.weight'],
    ['Cellpose-SAM', 'encoder.patch_embed.proj.weight'],
    ['a U-Net', 'model.segmentation_head.0.weight'],
    ['DETR', 'class_labels_classifier.weight'],
    ['Mask2Former', 'model.pixel_level_module.encoder.embeddings.weight'],
    ['nnU-Net', 'decoder.seg_layers.0.weight'],
    ['CellViT', 'nuclei_binary_map_decoder.decoder0_header.0.weight'],
    ['HoVer-Net', 'decoder.np.u3.conva.weight'],
    ['StarDist', 'dist_head.weight'],
    ['DETR', 'module.transformer.encoder.layers.0.self_attn.in_proj_weight'],
  ])('%s: %s', async (network, name) => {
    const file = path('foreign.safetensors');
    writeFileSync(file, tensors(name));
    expect(await rejection(CellSegmenter.load(file))).toMatchObject({
      code: 'WEIGHTS_MISMATCH',
      message: expect.stringContaining(`contains weights of ${network}`),
    });
  });

  test('a deep RPN head, which rpn.convDepth describes, is not foreign', async () => {
    const file = path('deep.safetensors');
    writeFileSync(file, tensors('rpn.head.conv.1.0.weight'));
    expect(await rejection(CellSegmenter.load(file))).toMatchObject({
      code: 'WEIGHTS_MISMATCH',
      message: expect.stringMatching(/does not fit this network/),
    });
  });

  test('a bare pickle of detectron2', async () => {
    const file = path('model_final.pkl');
    writeFileSync(
      file,
      pickle('\x80\x02', '}', text('model'), '}', text('backbone.bottom_up.res2'), 'N', 's', 's', '.'),
    );
    expect(await rejection(CellSegmenter.load(file))).toMatchObject({
      code: 'WEIGHTS_FORMAT',
      message: expect.stringContaining('detectron2'),
    });
  });
});
