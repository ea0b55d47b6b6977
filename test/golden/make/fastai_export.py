"""fastai exports and fastai's answers with them. Needs fastai. Not part of all.py, because exports are large.

    python test/golden/make/fastai_export.py check   --export GOLDEN/fastai_resnet18.pkl --data DATA
    python test/golden/make/fastai_export.py inputs  --export GOLDEN/fastai_resnet18.pkl --data DATA \
        --out test/golden/fastai_inputs.safetensors --images A.png B.png
    python test/golden/make/fastai_export.py export  --out DIR/fastai_resnet34.pkl --data DATA --arch resnet34 \
        --method squish --size 160

`export` trains briefly on nuclei/ and t98g/ and writes NAME.pkl (cloudpickle, protocol 2: fastai's default),
NAME_protocol4.pkl and NAME.json (answers on validation images). An export contains functions of this file by value,
and `check` and `inputs` execute what they load: give them only files you made.
"""

import argparse
import csv
import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch

import common

warnings.filterwarnings("ignore")

from fastai.vision.all import (  # noqa: E402
    Brightness,
    CategoryBlock,
    CrossEntropyLossFlat,
    DataBlock,
    Dihedral,
    ImageBlock,
    IndexSplitter,
    Learner,
    Normalize,
    Resize,
    accuracy,
    imagenet_stats,
    load_learner,
    models,
    set_seed,
    vision_learner,
)

VOCAB = {"fluorescence": "dna stain", "histology": "tissue", "phase-contrast": "living cells"}
CLASS_OF: dict[str, str] = {}


def label_of(path: Path, prefix: str) -> str:
    return prefix + CLASS_OF[Path(path).stem]


def read_rows(data: Path) -> list[tuple[Path, str, str]]:
    """(image, class, split) of every image of the three modalities."""
    rows = []
    for folder in ("nuclei", "t98g"):
        with open(data / folder / "index.csv", newline="") as file:
            for row in csv.DictReader(file):
                if row["modality"] in VOCAB:
                    rows.append((data / folder / "images" / f"{row['id']}.png", row["modality"], row["split"]))
    return rows


def trained_learner(data: Path, arch: str, method: str, size: int, epochs: int, seed: int) -> Learner:
    set_seed(seed, reproducible=True)
    rng = np.random.default_rng(seed)
    rows = read_rows(data)
    CLASS_OF.update({path.stem: VOCAB[modality] for path, modality, _ in rows})
    train = [path for path, _, split in rows if split == "train"]
    # A part of the data is enough for meaningful weights.
    train = [train[i] for i in rng.choice(len(train), 200, replace=False)] + [
        path for path, modality, split in rows if modality != "fluorescence" and split == "train"
    ]
    valid = [path for path, _, split in rows if split == "val"]
    items = train + valid
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=lambda _: items,
        # A partial of a function of __main__: cloudpickle stores the function's code inside the export.
        get_y=partial(label_of, prefix="a "),
        splitter=IndexSplitter(range(len(train), len(items))),
        item_tfms=Resize(size, method=method),
        batch_tfms=[Dihedral(), Brightness(max_lighting=0.2), Normalize.from_stats(*imagenet_stats)],
    )
    loaders = block.dataloaders(data, bs=32, num_workers=0)
    learner = vision_learner(
        loaders, getattr(models, arch), pretrained=False, loss_func=CrossEntropyLossFlat(), metrics=accuracy
    )
    with learner.no_bar():
        learner.fit_one_cycle(epochs, 2e-3)
    return learner


@torch.no_grad()
def answer(learner: Learner, image: Path) -> dict[str, torch.Tensor]:
    """The network's input as in validation (no augmentation), its logits and its probabilities."""
    loader = learner.dls.test_dl([image], num_workers=0)
    (batch,) = loader.one_batch()
    logits = learner.model.eval()(batch)
    x, logits = (torch.Tensor(value.as_subclass(torch.Tensor)) for value in (batch, logits))
    return {"input": x, "logits": logits[0], "probabilities": logits[0].softmax(0)}


def entry_of(learner: Learner, data: Path, name: str, ground_truth: str) -> dict:
    found = answer(learner, data / name)
    x = found["input"]
    index = int(found["probabilities"].argmax())
    middle = [side // 2 for side in x.shape[2:]]
    return {
        "picture": name,
        "truth": ground_truth,
        "label": learner.dls.vocab[index],
        "index": index,
        "probabilities": found["probabilities"].tolist(),
        "logits": found["logits"].tolist(),
        "input_shape": list(x.shape),
        "input_mean": x.mean((0, 2, 3)).tolist(),
        "input_corner": x[0, :, 0, 0].tolist(),
        "input_centre": x[0, :, middle[0], middle[1]].tolist(),
    }


def export(options: argparse.Namespace) -> None:
    options.out.parent.mkdir(parents=True, exist_ok=True)
    learner = trained_learner(options.data, options.arch, options.method, options.size, options.epochs, options.seed)
    learner.path = options.out.parent
    learner.export(options.out.name)
    # The same with a later protocol (other opcodes). The standard pickle module does not support fastai 2.8's transforms.
    learner.export(f"{options.out.stem}_protocol4.pkl", pickle_protocol=4)

    valid = [row for row in read_rows(options.data) if row[2] == "val"]
    chosen = [row for modality in VOCAB for row in [r for r in valid if r[1] == modality][:4]]
    entries = [
        entry_of(learner, options.data, path.relative_to(options.data).as_posix(), f"a {VOCAB[modality]}")
        for path, modality, _ in chosen
    ]
    common.write_json(
        options.out.with_suffix(".json"),
        {
            "file": options.out.name,
            "vocab": list(learner.dls.vocab),
            "keys": len(learner.model.state_dict()),
            "accuracy": float(learner.validate()[1]),
            "after_item": str(learner.dls.after_item),
            "after_batch": str(learner.dls.after_batch),
            "pictures": entries,
        },
    )


def inputs(options: argparse.Namespace) -> None:
    learner = load_learner(options.export)
    found = [answer(learner, options.data / name) for name in options.images]
    common.write_tensors(
        options.out,
        {
            "input": torch.cat([one["input"] for one in found]),
            "logits": torch.stack([one["logits"] for one in found]),
            "probabilities": torch.stack([one["probabilities"] for one in found]),
        },
        about="input = N x 3 x H x W as the network gets it (after_item and after_batch, no augmentation) of each "
        "image; logits and probabilities are the export's for that input",
        export=options.export.name,
        vocab=list(learner.dls.vocab),
        pictures=options.images,
    )


def check(options: argparse.Namespace) -> None:
    learner = load_learner(options.export)
    stored = json.loads(options.export.with_suffix(".json").read_text())
    difference = common.Difference(options.export.name)
    difference.equal("vocab", list(learner.dls.vocab), stored["vocab"])
    difference.equal("keys", len(learner.model.state_dict()), stored["keys"])
    for entry in stored["pictures"]:
        found = entry_of(learner, options.data, entry["picture"], entry["truth"])
        for key in ("label", "input_shape"):
            difference.equal(f"{entry['picture'][-12:]} {key}", found[key], entry[key])
        for key in ("probabilities", "logits", "input_mean", "input_corner", "input_centre"):
            difference.tensors(f"{entry['picture'][-12:]} {key}", torch.tensor(found[key]), torch.tensor(entry[key]), 1e-5)
    if not difference.close:
        raise SystemExit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for command, needs in ((check, ["export"]), (inputs, ["export", "out"]), (export, ["out"])):
        sub = commands.add_parser(command.__name__)
        sub.set_defaults(command=command)
        sub.add_argument("--data", type=Path, required=True)
        for name in needs:
            sub.add_argument(f"--{name}", type=Path, required=True)
        if command is inputs:
            sub.add_argument("--images", nargs="+", required=True)
        if command is export:
            sub.add_argument("--arch", default="resnet34", choices=["resnet18", "resnet34", "resnet50"])
            sub.add_argument("--method", default="squish", choices=["crop", "squish", "pad"])
            sub.add_argument("--size", type=int, default=160)
            sub.add_argument("--epochs", type=int, default=1)
            sub.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
