import type { ClassifierConfig } from '../config/classifier.js';
import { FASTAI_BODY } from '../config/infer.js';
import { imagePart } from './image-part.js';
import { loadPart, type ScriptFile, usage, weightsLine } from './load-part.js';
import { channelsOf, resnetCall, resnetPart } from './resnet-part.js';
import { literal, plain, type ScriptPart, scriptOf } from './script.js';

/** The script that rebuilds a ResNet classifier in torchvision and classifies images with it. */
export function classifierScript(config: ClassifierConfig, file: ScriptFile): string {
  const { backbone, classNames, head, intensity, resize } = config;
  const bare = file.prefix ? `name.removeprefix(${literal(file.prefix)})` : 'name';
  // torchvision's ResNet calls its head fc.
  const own = head.kind === 'concat-pool' ? `${bare}.replace("head.", "fc.", 1)` : file.prefix && bare;
  return scriptOf(
    `Names the cell type of an image with torchvision and the classifier of ${plain(file.name)}.

Written by cellroute ${file.version} (cellroute export-python). The network and the values that it gets are those of
cellroute.

${usage(file)}`,
    {
      imports: [['pathlib', 'Path']],
      text: `${weightsLine(file)}\nCLASS_NAMES = ${literal(classNames)}`,
    },
    [
      resnetPart(backbone),
      networkPart(config),
      ...(file.isFastai ? [FASTAI_NAMES] : []),
      loadPart('ResNet', file.isFastai ? `torchvision_name(${bare})` : own),
      imagePart(intensity),
      ...(resize ? [resizePart(resize)] : []),
      classifyPart(config),
    ],
  );
}

const FASTAI_NAMES: ScriptPart = {
  imports: [],
  text: `
FASTAI_BODY = {${Object.entries(FASTAI_BODY)
    .map((pair) => pair.map(literal).join(': '))
    .join(', ')}}


def torchvision_name(name: str) -> str:
    """The name of a tensor of fastai, whose network is a ResNet's numbered layers and a head."""
    return f"fc{name[1:]}" if name.startswith("1.") else FASTAI_BODY[name[:3]] + name[3:]`,
};

function networkPart({ backbone, head, classNames }: ClassifierConfig): ScriptPart {
  const imports = [['torchvision.models.resnet', 'ResNet']] as const;
  const signature = 'def build_model() -> ResNet:\n    """The network with random weights."""';
  const network = resnetCall(backbone, classNames.length);
  if (head.kind === 'linear') return { imports, text: `${signature}\n    return ${network}` };
  const pooled = 2 * channelsOf(backbone, 4);
  return {
    imports: [...imports, ['torch'], ['torch', 'nn']],
    text: `
class ConcatPool(nn.Module):
    """fastai's AdaptiveConcatPool2d of size 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)


${signature}
    model = ${network}
    model.avgpool = ConcatPool()
    model.fc = nn.Sequential(  # fastai's create_head after its pooling
        nn.Identity(),
        nn.Flatten(),
        nn.BatchNorm1d(${pooled}),
        nn.Dropout(0.25),
        nn.Linear(${pooled}, ${head.hidden}, bias=False),
        nn.ReLU(inplace=True),
        nn.BatchNorm1d(${head.hidden}),
        nn.Dropout(0.5),
        nn.Linear(${head.hidden}, ${classNames.length}, bias=False),
    )
    return model`,
  };
}

function resizePart({ width, height, method }: NonNullable<ClassifierConfig['resize']>): ScriptPart {
  const crop = `    height, width = pixels.shape[:2]
    ratio = min(width / WIDTH, height / HEIGHT)
    part_width, part_height = max(int(ratio * WIDTH), 1), max(int(ratio * HEIGHT), 1)
    left, top = (width - part_width) // 2, (height - part_height) // 2
    pixels = pixels[top : top + part_height, left : left + part_width]
`;
  const docstring =
    method === 'crop'
      ? 'The largest central part with the aspect ratio of the input, resized to it by Pillow.'
      : 'The whole image, resized to the input by Pillow.';
  return {
    imports: [['numpy as np'], ['PIL', 'Image']],
    text: `
WIDTH, HEIGHT = ${width}, ${height}  # of the network's input


def resize(pixels: np.ndarray) -> np.ndarray:
    """${docstring}"""
${method === 'crop' ? crop : ''}    size = (WIDTH, HEIGHT)
    if pixels.dtype == np.uint8:
        return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    channels = np.moveaxis(np.atleast_3d(pixels).astype(np.float32), -1, 0)
    resized = [Image.fromarray(channel).resize(size, Image.Resampling.BILINEAR) for channel in channels]
    values = np.stack([np.array(channel) for channel in resized], -1)
    return values if pixels.dtype == np.float32 else np.floor(values.clip(0, 65535) + 0.5).astype(np.uint16)`,
  };
}

function classifyPart({ resize, imageMean, imageStd }: ClassifierConfig): ScriptPart {
  return {
    imports: [['argparse'], ['numpy as np'], ['torch']],
    text: `
@torch.no_grad()
def classify(model: ResNet, pixels: np.ndarray) -> dict[str, float]:
    """The probability of each class for an image from \`read_image\`."""
    mean = torch.tensor(${literal(imageMean)})[:, None, None]
    std = torch.tensor(${literal(imageStd)})[:, None, None]
    image = (to_float(${resize ? 'resize(pixels)' : 'pixels'}) - mean) / std
    logits = model(image[None].to(next(model.parameters()).device))[0]
    return dict(zip(CLASS_NAMES, logits.softmax(0).tolist()))


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the probability of each cell type.")
    parser.add_argument("image", help="PNG, JPEG, WebP or TIFF")
    parser.add_argument("--weights", default=WEIGHTS, help="default: %(default)s")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: %(default)s")
    options = parser.parse_args()
    model = load_model(options.weights).to(options.device)
    for name, probability in classify(model, read_image(options.image)).items():
        print(f"{probability:.4f}  {name}")`,
  };
}
