import { literal, plain, type ScriptPart } from './script.js';

/** Description of the file that a script was written for. */
export interface ScriptFile {
  /** Name of the weights file, without a folder. */
  name: string;
  /** Name of the script. */
  script: string;
  /** Path of the weights file, relative to the script. */
  weights: string;
  /** Prefix of the names of all tensors in the file; empty where there is none. */
  prefix: string;
  /** Whether the tensors have the names of fastai's `vision_learner`. */
  isFastai: boolean;
  /** Version of cellroute. */
  version: string;
}

/** How a script is installed and run, for its docstring. */
export const usage = ({ script }: ScriptFile): string => `\
    pip install torch torchvision safetensors tifffile imagecodecs pillow numpy
    python ${plain(script)} image.png
`;

/** Name of the script for a weights file, which Python can import. */
export const scriptName = (file: string): string =>
  `${file.replace(/\.[^.]*$/, '').replace(/[^\p{ID_Continue}]/gu, '_')}.py`;

/** The constant that names the weights file. */
export const weightsLine = ({ weights }: ScriptFile): string =>
  `WEIGHTS = Path(__file__).parent / ${literal(weights)}`;

/**
 * `load_model`.
 *
 * @param type class of the network.
 * @param renamed the name of a tensor in the network, as a Python expression of its `name` in the file; empty if equal.
 */
export function loadPart(type: string, renamed: string): ScriptPart {
  const state = renamed
    ? `{${renamed}: value for name, value in load_file(weights).items()}`
    : 'load_file(weights)';
  return {
    imports: [
      ['pathlib', 'Path'],
      ['safetensors.torch', 'load_file'],
    ],
    text: `
def load_model(weights: str | Path = WEIGHTS) -> ${type}:
    """The network with the weights of a safetensors file, for inference."""
    model = build_model()
    model.load_state_dict(${state})
    return model.eval()`,
  };
}
