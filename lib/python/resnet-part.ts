import type { ClassifierConfig } from '../config/classifier.js';
import type { ScriptPart } from './script.js';

type Backbone = ClassifierConfig['backbone'];

/** Blocks per layer, as in torchvision's `resnet18` to `resnet101`. */
const BLOCKS = { 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3] } as const;
const TORCHVISION_WIDTH = 64;

const isBottleneck = ({ depth }: Backbone): boolean => depth >= 50;

/** Channels that a layer (1 to 4) of a ResNet returns. */
export const channelsOf = (backbone: Backbone, layer: number): number =>
  backbone.width * 2 ** (layer - 1) * (isBottleneck(backbone) ? 4 : 1);

/** The expression that creates a ResNet of torchvision. */
export function resnetCall(backbone: Backbone, numClasses?: number): string {
  const classes = numClasses === undefined ? '' : `num_classes=${numClasses}, `;
  return backbone.width === TORCHVISION_WIDTH
    ? `resnet${backbone.depth}(weights=None, ${classes}norm_layer=norm)`
    : `NarrowResNet(${numClasses ?? ''})`;
}

/** `norm`, and `NarrowResNet` if the ResNet does not have the default width. */
export function resnetPart(backbone: Backbone): ScriptPart {
  const { width, depth } = backbone;
  const norm = normPart(backbone.norm);
  if (width === TORCHVISION_WIDTH) {
    return {
      imports: [...norm.imports, ['torchvision.models', `resnet${depth}`]],
      text: norm.text,
    };
  }
  const block = isBottleneck(backbone) ? 'Bottleneck' : 'BasicBlock';
  return {
    imports: [...norm.imports, ['torchvision.models.resnet', 'ResNet', block]],
    text: `${norm.text}


class NarrowResNet(ResNet):
    """torchvision's ResNet${depth} with ${width} instead of 64 channels after the stem."""

    def __init__(self, num_classes: int = 1):
        nn.Module.__init__(self)  # ResNet's own would create 64 channels
        self._norm_layer, self.groups, self.base_width, self.dilation = norm, 1, 64, 1
        self.inplanes = ${width}
        self.conv1 = nn.Conv2d(3, ${width}, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(${width})
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for i, blocks in enumerate([${BLOCKS[depth].join(', ')}]):
            layer = self._make_layer(${block}, ${width} << i, blocks, stride=1 if i == 0 else 2)
            self.add_module(f"layer{i + 1}", layer)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.inplanes, num_classes)`,
  };
}

function normPart({ kind, eps, groups }: Backbone['norm']): ScriptPart {
  const calls = {
    'frozen-batch': `FrozenBatchNorm2d(channels, eps=${eps})`,
    batch: `nn.BatchNorm2d(channels, eps=${eps})`,
    group: `nn.GroupNorm(${groups}, channels, eps=${eps})`,
  } as const;
  return {
    imports: [
      ['torch', 'nn'],
      ...(kind === 'frozen-batch' ? ([['torchvision.ops', 'FrozenBatchNorm2d']] as const) : []),
    ],
    text: `def norm(channels: int) -> nn.Module:
    return ${calls[kind]}`,
  };
}
