"""Writes checkpoints with torchvision, Lightning and fastai, and what these libraries compute with them.

    python make_checkpoints.py torchvision FOLDER
    python make_checkpoints.py lightning FOLDER
    python make_checkpoints.py fastai FOLDER IMAGE

Prints JSON. Every network that is compared is also written as plain tensors, `<name>.safetensors`.
"""

import argparse
import copy
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet34
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor

sys.path.insert(0, str(Path(__file__).parent.parent / "golden" / "make"))
import formula  # noqa: E402


def mask_rcnn() -> MaskRCNN:
    """torchvision's Mask R-CNN with a ResNet18 and a narrow box head, so that files are small."""
    return formula.fill(
        MaskRCNN(
            resnet_fpn_backbone(backbone_name="resnet18", weights=None),
            box_head=TwoMLPHead(256 * 7 * 7, 32),
            box_predictor=FastRCNNPredictor(32, 2),
            mask_predictor=MaskRCNNPredictor(256, 256, 2),
        )
    )


def plain(folder: Path, name: str, network: nn.Module) -> None:
    tensors = {key: value.detach().clone().contiguous() for key, value in network.state_dict().items()}
    save_file(tensors, folder / f"{name}.safetensors")


def torchvision(folder: Path) -> None:
    network = mask_rcnn()
    state = network.state_dict()
    plain(folder, "cells", network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    sum(parameter.sum() for parameter in network.parameters()).backward()
    averaged = torch.optim.swa_utils.AveragedModel(network)
    files = {
        "zip": state,
        "wrapped": {"model_state_dict": state, "epoch": 3, "loss": torch.tensor(0.5)},
        # As torchvision's references/detection/train.py, with its arguments.
        "reference": {
            "model": state,
            "optimizer": optimizer.state_dict(),
            "lr_scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [16, 22]).state_dict(),
            "args": argparse.Namespace(dataset="coco", lr=0.02, aspect_ratio_group_factor=3, world_size=1),
            "epoch": 25,
            "scaler": torch.amp.GradScaler("cpu", enabled=False).state_dict(),
        },
        "parallel": nn.DataParallel(network).state_dict(),
        "compiled": torch.compile(network).state_dict(),
        "averaged": averaged.state_dict(),
    }
    optimizer.step()  # the optimizer's momentum is then in its state
    files["reference"]["optimizer"] = optimizer.state_dict()
    formula.fill(network)
    for name, content in files.items():
        torch.save(content, folder / f"{name}.pth")
    torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(copy.deepcopy(network).half().state_dict(), folder / "half.pth")
    torch.save(network, folder / "module.pth")
    whole = formula.fill(maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3))
    torch.save(whole.state_dict(), folder / "resnet50.pth")
    plain(folder, "resnet50", whole)
    classifier = formula.fill(resnet34(num_classes=4))
    torch.save(classifier.state_dict(), folder / "classifier.pth")
    plain(folder, "classifier", classifier)
    print(json.dumps([*files, "legacy"]))


def lightning(folder: Path) -> None:
    import lightning

    class Cells(lightning.LightningModule):
        def __init__(self, lr: float):
            super().__init__()
            self.save_hyperparameters()
            self.model = mask_rcnn()

        def training_step(self, batch, index):
            return sum(parameter.square().mean() for parameter in self.model.parameters())

        def configure_optimizers(self):
            # Its decay changes weights whose gradient is zero, too.
            optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr, weight_decay=0.1)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

    cells = Cells(lr=1e-3)
    before = cells.model.roi_heads.box_predictor.cls_score.weight.detach().clone()
    trainer = lightning.Trainer(
        max_steps=2,
        logger=False,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[lightning.pytorch.callbacks.ModelCheckpoint(dirpath=folder, filename="callback")],
    )
    trainer.fit(cells, torch.utils.data.DataLoader(torch.zeros(2, 1)))
    trainer.save_checkpoint(folder / "whole.ckpt")
    trainer.save_checkpoint(folder / "weights.ckpt", weights_only=True)
    plain(folder, "cells", cells.model)
    changed = (cells.model.roi_heads.box_predictor.cls_score.weight - before).abs().max().item()
    print(json.dumps({"changed": changed}))


def fastai(folder: Path, image: str) -> None:
    from fastai.vision.all import ImageDataLoaders, Normalize, Resize, imagenet_stats, models, vision_learner
    from PIL import Image

    photos = folder / "photos"
    photos.mkdir()
    for i in range(8):
        Image.new("RGB", (80, 64), (30 * i, 90, 60)).save(photos / f"{'dark' if i < 4 else 'light'}_{i}.png")

    def label(path):
        return Path(path).name.split("_")[0]

    answers = {}
    for name, arch, method in (("squished", models.resnet18, "squish"), ("cropped", models.resnet34, "crop")):
        loaders = ImageDataLoaders.from_path_func(
            folder,
            sorted(photos.glob("*.png")),
            label,
            item_tfms=Resize((72, 96), method=method),
            batch_tfms=Normalize.from_stats(*imagenet_stats),
            bs=2,
            num_workers=0,
        )
        learner = vision_learner(loaders, arch, pretrained=False)
        # Weights of the untrained head would give every image the same class.
        formula.fill(learner.model)
        learner.export(folder / f"{name}.pkl")
        learner.model_dir = folder
        learner.save(name)
        learner.save(f"{name}-bare", with_opt=False)
        plain(folder, name, learner.model)
        _, _, probabilities = learner.predict(image)
        answers[name] = dict(zip(loaders.vocab, probabilities.tolist()))
    print(json.dumps(answers))


if __name__ == "__main__":
    command, folder, *arguments = sys.argv[1:]
    globals()[command](Path(folder), *arguments)
