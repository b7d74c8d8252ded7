"""A small student of findings, trained in seconds on painted images, as a checkpoint on disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgekd.data import Split, load_dataset, split_dataset, write_split
from edgekd.models import DataCard, ModelCard, TrainingCard, create_network, save_checkpoint
from edgekd.models.card import CARD, SPLIT, WEIGHTS
from edgekd.policy import load_policy
from edgekd.recipe import SplitSection
from edgekd.runtime.preprocess import RULE
from edgekd.seals import seal_files

FINDINGS = ("network", "streaks", "veil")
SIZE, COUNT = 32, 700
MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)
ARCH = "resnet10t"
OPTIONS = {"channels": [16, 24, 32, 48], "stem_width": 8}
_SHARES = (0.5, 0.12, 0.4)
_COLOURS = ((110, 70, 40), (200, 40, 60), (90, 110, 190))  # RGB, one for each finding
_PLACES = ((2, 2), (2, 18), (18, 10))  # top left corner of each finding's spot


def paint(folder: Path) -> Path:
    """Photos of skin with a spot for each finding, and their table; gives the table's path."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(("image", *FINDINGS))]
    for number in range(COUNT):
        present = rng.random(3) < _SHARES
        image = rng.normal((200, 150, 130), 12, (SIZE, SIZE, 3))
        for place, colour, shown in zip(_PLACES, _COLOURS, present, strict=True):
            if shown:
                top, left = np.array(place) + rng.integers(0, 3, 2)
                image[top : top + 10, left : left + 10] = rng.normal(colour, 12, (10, 10, 3))
        name = f"{number:04d}.png"
        cv2.imwrite(str(folder / name), image.clip(0, 255).astype(np.uint8)[..., ::-1])
        lines.append(",".join((name, *map(str, present.astype(int)))))
    table = folder / "findings.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def make_student(folder: Path) -> None:
    """Write a student's checkpoint into `folder`, its images beside it."""
    table = paint(folder.parent / f"{folder.name}-images")
    section = {
        "source": "csv", "root": str(table.parent), "file": str(table), "name": "painted",
        "label_columns": list(FINDINGS),
    }  # fmt: skip
    dataset = load_dataset(section, "multilabel")
    split = split_dataset(dataset, SplitSection(validation=0.4, test=0.0))
    network = _train(split, table.parent)
    folder.mkdir(parents=True)
    (folder / SPLIT).write_text(write_split(split))
    save_checkpoint(folder, network, _card(split, table.parent))
    seal_files(folder, (CARD, WEIGHTS, SPLIT))


def _train(split: Split, root: Path) -> nn.Module:
    """On one thread: on a busy machine threads that wait for each other make a second a minute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = create_network(ARCH, len(FINDINGS), OPTIONS).train()
    indices = split.indices("train")
    pixels = torch.from_numpy(_pixels(split, indices, root)).permute(0, 3, 1, 2) / 255
    pixels = (pixels - torch.tensor(MEAN).reshape(3, 1, 1)) / torch.tensor(STD).reshape(3, 1, 1)
    targets = torch.from_numpy(split.dataset.targets()[indices])
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(60):
        batch = torch.randint(len(pixels), (32,))
        loss = nn.functional.binary_cross_entropy_with_logits(
            network(pixels[batch]), targets[batch]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    return network.eval()


def _pixels(split: Split, indices: list[int], root: Path) -> NDArray[np.float32]:
    files = [root / split.dataset.samples[index].image for index in indices]
    return np.stack([cv2.imread(str(file))[..., ::-1] for file in files]).astype(np.float32)


def _card(split: Split, root: Path) -> ModelCard:
    return ModelCard(
        task="multilabel",
        role="student",
        arch=ARCH,
        arch_options=OPTIONS,
        classes=split.dataset.classes,
        image_size=SIZE,
        mean=MEAN,
        std=STD,
        resize=RULE,
        params=1,
        macs=1,
        pretrained="none",
        data=DataCard(name="painted", root=str(root), sha256=split.sha256(), images={}),
        training=TrainingCard(
            method="none", seed=0, recipe_sha256="", stage_sha256="", epochs=1, best_epoch=1
        ),
        weights_sha256="",
        policy=load_policy("none").values(),
    )
