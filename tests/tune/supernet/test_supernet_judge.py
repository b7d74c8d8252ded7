"""The judge: scores by networks of their own statistics, kept for an interrupted search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_space import CLASSES, SMALL, MeanColour, search_images

from edgekd.distill.losses import soft_cross_entropy
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.tune.supernet.judge import SCORES, Judge
from edgekd.tune.supernet.training import SupernetSettings, SupernetTraining, normalised
from edgekd.tune.supernet.weights import Supernet, recalibrated


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Supernet:
    torch.manual_seed(0)
    trained, cpu = Supernet(SMALL, CLASSES), torch.device("cpu")
    settings = SupernetSettings(steps=80, batch=24, rate=0.1)
    training = SupernetTraining(settings, search_images(), MeanColour(), cpu)
    training.run(trained, tmp_path_factory.mktemp("supernet"), "a")
    return trained


def judge(supernet: Supernet, folder: Path, purpose: str = "a") -> Judge:
    return Judge(
        supernet, search_images(), MeanColour(), DEFAULT_TASK, torch.device("cpu"),
        folder / SCORES, purpose,
    )  # fmt: skip


def test_the_score_is_that_of_the_recalibrated_network(supernet: Supernet, tmp_path: Path) -> None:
    images, options = search_images(), SMALL.largest
    network = recalibrated(supernet.network(options), [normalised(next(images.plain(128)))])
    pixels = next(images.judging(128))
    with torch.no_grad():
        outputs = network(normalised(pixels))
        loss = soft_cross_entropy(outputs, MeanColour()(pixels))
    answers = outputs.argmax(1).numpy()
    shares = [(answers[images.targets == k] == k).mean() for k in range(CLASSES)]
    found = judge(supernet, tmp_path).fitness(options)
    assert found.quality == pytest.approx(np.mean(shares), abs=1e-6)
    assert found.agreement == pytest.approx(-float(loss), abs=1e-5)
    assert found.quality > 0.6


def test_what_was_judged_is_kept(
    supernet: Supernet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judge(supernet, tmp_path)
    fitness = first.fitness(SMALL.smallest)
    first.write()
    calls: list[object] = []
    monkeypatch.setattr(Judge, "_scores_of", lambda self, options: calls.append(options) or fitness)
    assert judge(supernet, tmp_path).fitness(SMALL.smallest) == fitness
    assert calls == []
    judge(supernet, tmp_path, "b").fitness(SMALL.smallest)
    assert len(calls) == 1
