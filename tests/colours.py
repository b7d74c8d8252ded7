"""A network whose answers are known, and images for it: it tells colours, and grey from white.

Its weights are set by hand for pixels with mean 0.5 and deviation 0.5, so that a wrong mean,
exchanged colours or classes in another order each show in what it answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CLASSES = ("red", "blue", "grey", "white")
HALF = (0.5, 0.5, 0.5)
_COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200), "grey": (102, 102, 102),
            "white": (179, 179, 179)}  # fmt: skip

SOURCE = '''
"""A network of somebody's own."""

import torch
from torch import nn


class Colours(nn.Module):
    def __init__(self, classes=4, softmax=False, answer="tensor"):
        super().__init__()
        self.stem = nn.Conv2d(3, 3, 3, padding=1, padding_mode="replicate", bias=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(3, classes)
        self.softmax, self.answer = softmax, answer

    def forward(self, images):
        outputs = self.fc(self.pool(self.stem(images)).flatten(1))
        if self.softmax:
            outputs = outputs.softmax(1)
        return {"tensor": outputs, "dict": {"logits": outputs}}[self.answer]


class NoNetwork:
    pass


def bad():
    raise ValueError
'''


def colours_class() -> type[nn.Module]:
    scope: dict[str, Any] = {}
    exec(SOURCE, scope)
    return scope["Colours"]


def write_package(folder: Path, name: str = "somebodys_networks") -> str:
    """The class in a package of that name below a folder; the class as `module:Class`."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(SOURCE)
    return f"{name}:Colours"


def colours_network(**options: Any) -> nn.Module:
    """The network with its weights."""
    network = colours_class()(**options).eval()
    stem = torch.zeros(3, 3, 3, 3)
    stem[range(3), range(3)] = 1 / 9
    light = torch.full((3,), 1 / 3)
    rows = [
        torch.tensor([10.0, 0.0, -10.0]),
        torch.tensor([-10.0, 0.0, 10.0]),
        -20 * light,
        20 * light,
    ]
    state = {"stem.weight": stem, "fc.weight": torch.stack(rows),
             "fc.bias": torch.tensor([0.0, 0.0, 2.0, -2.0])}  # fmt: skip
    network.load_state_dict(state)
    return network


def paint(folder: Path, each: int = 6, size: tuple[int, int] = (40, 52)) -> Path:
    """Images of each class, noisy and not square, and their table."""
    random, lines = np.random.default_rng(0), ["image,label"]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number in range(each):
        for name in CLASSES:
            image = painted(name, random, size)
            cv2.imwrite(str(folder / "images" / f"{name}{number}.png"), image[:, :, ::-1])
            lines.append(f"{name}{number}.png,{name}")
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def painted(name: str, random: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    noise = random.normal(0.0, 12.0, (*size, 3))
    return (np.array(_COLOURS[name]) + noise).clip(0, 255).astype(np.uint8)


def as_its_owner(image: NDArray[np.uint8], size: int = 32) -> Tensor:
    """What the network's owner makes of an image, by torchvision's transforms."""
    from PIL import Image
    from torchvision import transforms

    steps = transforms.Compose([
        transforms.Resize(36), transforms.CenterCrop(size), transforms.ToTensor(),
        transforms.Normalize(HALF, HALF),
    ])  # fmt: skip
    return steps(Image.fromarray(image))
