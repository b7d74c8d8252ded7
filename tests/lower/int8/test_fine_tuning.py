"""Weights are fine-tuned once, on training images, by the task's imitation loss."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from cards import ARCH, CLASSES, make_card
from torch import nn

from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.int8 import fine_tuning
from edgekd.lower.int8.fine_tuning import fine_tuned_source
from edgekd.lower.progress import LineReporter
from edgekd.lower.source import Source
from edgekd.lower.task import evidence_task
from edgekd.models import create_network


def test_the_students_weights_are_fine_tuned_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trainings: list[dict[str, Any]] = []

    def fine_tune(graph: nn.Module, images: np.ndarray, **options: Any) -> nn.Module:
        trainings.append({"images": images, **options})
        return create_network(ARCH, len(CLASSES))

    monkeypatch.setattr(fine_tuning, "fine_tune_quantisation_aware", fine_tune)
    monkeypatch.setattr(fine_tuning, "deploy_graph_of", lambda context: nn.Identity())
    monkeypatch.setattr(fine_tuning, "cache_folder", lambda: tmp_path)
    pixels = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    split = SimpleNamespace(indices=lambda part: [0, 2] if part == "train" else [1])
    source = Source(tmp_path / "student", make_card(), cast(Any, split), pixels, {})
    context = SimpleNamespace(source=source, observer=LineReporter())
    first, second = (fine_tuned_source(cast(Any, context)) for _ in range(2))
    assert len(trainings) == 1
    assert trainings[0]["images"][:, 0, 0, 0].tolist() == [0, 2]
    assert trainings[0]["imitation_loss"] == evidence_task(DEFAULT_TASK).imitation_loss
    assert first.folder == second.folder != source.folder
    assert first.card.weights_sha256 != source.card.weights_sha256
    assert first.split is source.split
