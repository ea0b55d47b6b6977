"""Runs a script of `cellroute export-python` as a module, and prints its answers as JSON.

    python run_script.py SCRIPT read IMAGE...             type, shape and SHA-256 of each image's values
    python run_script.py SCRIPT weights FILE              weights by the goldens' formula, into a safetensors file
    python run_script.py SCRIPT segment IMAGE [WEIGHTS]   cells, with masks as COCO run lengths
    python run_script.py SCRIPT classify IMAGE [WEIGHTS]  probabilities
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from pycocotools import mask as coco

sys.path.insert(0, str(Path(__file__).parent.parent / "golden" / "make"))
import formula  # noqa: E402


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(script: ModuleType, *images: str) -> list[dict]:
    answers = []
    for image in images:
        pixels = np.ascontiguousarray(script.read_image(image))
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        answers.append({"type": str(pixels.dtype), "shape": list(pixels.shape), "sha256": digest})
    return answers


def weights(script: ModuleType, file: str) -> None:
    from safetensors.torch import save_file

    network = formula.fill(script.build_model())
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)


def segment(script: ModuleType, image: str, *file: str) -> dict:
    cells = script.segment(script.load_model(*file), script.read_image(image))
    encoded = [coco.encode(np.asfortranarray(mask.numpy(), np.uint8)) for mask in cells["masks"]]
    numbers = {name: cells[name].tolist() for name in ("boxes", "scores", "labels")}
    return {**numbers, "masks": [one["counts"].decode() for one in encoded]}


def classify(script: ModuleType, image: str, *file: str) -> dict:
    return script.classify(script.load_model(*file), script.read_image(image))


if __name__ == "__main__":
    path, command, *arguments = sys.argv[1:]
    print(json.dumps(globals()[command](load(path), *arguments)))
