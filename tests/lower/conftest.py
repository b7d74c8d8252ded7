"""A small student that was trained for a second, so that int8 has something to keep."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from spotted import CLASSES, make_images
from torch import Tensor, nn

from edgekd.lower.graph import DeployGraph, deploy_graph

MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)


class Residual(nn.Module):
    """An inverted residual without expansion, as in MobileNetV2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.body(features)


class Tiny(nn.Module):
    """Stem, two residual blocks, head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()
        )
        self.blocks = nn.Sequential(Residual(16), Residual(16))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES))

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(image)))


class Student(NamedTuple):
    """A trained network, its deploy graph, and images with the graph's own logits."""

    network: nn.Module
    graph: DeployGraph
    images: NDArray[np.uint8]
    logits: NDArray[np.float32]
    calibration: NDArray[np.uint8]


def train_tiny() -> nn.Module:
    """A Tiny that tells the four classes apart.

    On one thread: on a busy machine threads that wait for each other make a second a minute.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    graph = DeployGraph(Tiny(), MEAN, STD).train()
    images, labels = (torch.from_numpy(part) for part in make_images(256, seed=0))
    optimizer = torch.optim.AdamW(graph.parameters(), 5e-3)
    for step in range(80):
        batch = slice(32 * (step % 8), 32 * (step % 8 + 1))
        loss = nn.functional.cross_entropy(graph(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.set_num_threads(threads)
    return graph.network.eval()


@pytest.fixture(scope="session")
def student() -> Student:
    network = train_tiny()
    graph = deploy_graph(network, MEAN, STD)
    images, _ = make_images(48, seed=1)
    with torch.no_grad():
        logits = graph(torch.from_numpy(images)).numpy()
    return Student(network, graph, images, logits, make_images(48, seed=2)[0])
