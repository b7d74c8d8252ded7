"""Occlusion maps: how much the probability of an answer falls where part of the photo is hidden.

The file itself is run, by its own engine; nothing of the network has to be known. Source: Zeiler &
Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2. A map shows what
the answer depends on, not whether that is a reason a clinician would accept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.measure.machine import default_threads
from edgekd.bench.measure.subject import Subject, open_bundle, open_checkpoint
from edgekd.bench.run.answers import host_backend
from edgekd.bench.run.evaluate import is_bundle
from edgekd.bench.task import report_task
from edgekd.bundle import Bundle
from edgekd.bundle.task import manifest_task
from edgekd.models.card import read_card
from edgekd.runtime.task import device_task

__all__ = ["CELLS", "Explained", "occlusion_map"]

CELLS = 7
"""Cells of a map along each side; a patch hides two by two of them, so that 64 are tried."""

Scorer = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""Probability of each class [K] of an image uint8 [S, S, 3]."""


def occlusion_map(
    score: Scorer, pixels: NDArray[np.uint8], index: int, cells: int = CELLS
) -> NDArray[np.float64]:
    """How much the probability of a class falls where each cell of the photo is hidden.

    A patch of the photo's mean colour hides two by two cells at a time, at the border the part of
    them that there is; the value of a cell is the mean over the four patches that hide it.
    Positive: the cell speaks for the class.

    Args:
        score: The model.
        pixels: The photo as the network gets it, uint8 [S, S, 3].
        index: The class.
        cells: Cells along each side, G.

    Returns:
        Changes of the probability, [G, G].
    """
    edges = np.linspace(0, len(pixels), cells + 1).round().astype(int)
    colour = pixels.reshape(-1, pixels.shape[-1]).mean(axis=0).round().astype(np.uint8)
    whole = score(pixels)[index]
    falls = np.zeros((cells + 2, cells + 2))  # with a border, which takes what lies outside
    for row in range(cells + 1):
        for column in range(cells + 1):
            rows = slice(edges[max(row - 1, 0)], edges[min(row + 1, cells)])
            columns = slice(edges[max(column - 1, 0)], edges[min(column + 1, cells)])
            hidden = pixels.copy()
            hidden[rows, columns] = colour
            falls[row : row + 2, column : column + 2] += whole - score(hidden)[index]
    return np.asarray(falls[1:-1, 1:-1] / 4)


class Explained:
    """A model that is open for maps; close it by `with`.

    Args:
        path: A bundle or a checkpoint's folder.

    Raises:
        MissingDependencyError: The engine, or PyTorch, is not installed.
        ArtefactError: The model is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._subject, task, self._decision, self._classes = _opened(path)
        self._device, self._report = device_task(task), report_task(task)

    def map_of(self, image: Path, name: str) -> NDArray[np.float64]:
        """The map of a photo for a class; see `occlusion_map`.

        Raises:
            ImageError: The photo cannot be read.
        """
        pixels = self._subject.preprocess(image.read_bytes())
        return occlusion_map(self._scores, pixels, self._classes.index(name))

    def _scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        outputs = self._device.calibrated(self._subject.logits(pixels)[None], self._decision)
        scores = self._report.scores(outputs[0], self._classes)
        return np.array([scores[name] for name in self._classes])

    def __enter__(self) -> Explained:
        """The model itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Release the engine."""
        self._subject.close()


def _opened(path: Path) -> tuple[Subject, str, object, tuple[str, ...]]:
    """The model, its task, its decision and its classes."""
    threads = default_threads()
    if not is_bundle(path):
        card = read_card(path)
        subject: Subject = open_checkpoint(str(path), threads=threads)
        return subject, card.task, manifest_task(card.task).Decision(), card.classes
    with Bundle.open(path, verify=False) as bundle:
        manifest = bundle.manifest
    subject = open_bundle(str(path), backend=host_backend(manifest), threads=threads)
    return subject, manifest.task, manifest.decision, manifest.model.classes
