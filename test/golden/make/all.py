"""Creates a golden folder with the reference (torch, torchvision, pycocotools), or checks one against it.

    python test/golden/make/all.py --out DIR --data DATA --weights GOLDEN --seed N
    python test/golden/make/all.py --check GOLDEN --data DATA

A folder has the structure of test/golden, with random sizes, parameters and images. DATA contains nuclei/ and
sartorius/ (images, labels, tables); GOLDEN contains nuclei_small.pth, the trained weights. `--check` recomputes the
answers of the stored inputs and prints their differences. fastai_export.py, which needs fastai, is run separately.
"""

import argparse
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

import checkpoints
import classifiers
import common
import explain
import formula
import losses
import metrics
import metrics_cases
import nuclei
import ops
import optimizers
import polygons
import resize
import rle
import stages

MODULES = [formula, ops, resize, checkpoints, stages, explain, losses, nuclei, optimizers, classifiers, rle, polygons, metrics, metrics_cases]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", type=Path, metavar="GOLDEN")
    parser.add_argument("--weights", type=Path, metavar="GOLDEN", help="folder that holds nuclei_small.pth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--perturb", action="store_true", help="change the small network's weights, anchors and mean")
    parser.add_argument("--only", nargs="+", choices=[module.__name__ for module in MODULES])
    parser.add_argument("--images", nargs="+", default=[], help="use these, relative to DATA, instead of drawn ones")
    options = parser.parse_args()
    if (options.out is None) == (options.check is None):
        parser.error("one of --out and --check is needed")
    modules = [module for module in MODULES if options.only is None or module.__name__ in options.only]
    if options.out and nuclei in modules and options.weights is None:
        parser.error("--weights is needed for the small network")

    if options.check:
        differences = [d for module in modules for d in module.check(options.check, options.data)]
        sys.exit(0 if all(d.close for d in differences) else 1)

    options.out.mkdir(parents=True, exist_ok=True)
    for module in modules:
        # Each module has its own random stream, so that its result does not depend on the other modules.
        stream = zlib.crc32(module.__name__.encode())
        job = common.Job(options.out, options.data, np.random.default_rng([options.seed, stream]), options.images)
        torch.manual_seed(options.seed)
        print(module.__name__, flush=True)
        if module is nuclei:
            module.make(job, options.weights, options.perturb)
        else:
            module.make(job)


if __name__ == "__main__":
    main()
