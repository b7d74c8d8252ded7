"""Training of a supernet: it learns, each step depends on its number alone, and it continues."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from small_space import CLASSES, SMALL, MeanColour, search_images

from edgekd.distill.losses import soft_cross_entropy
from edgekd.errors import InputError
from edgekd.models.mobile import MobileOptions
from edgekd.tune.supernet.images import SearchImages
from edgekd.tune.supernet.training import (
    WEIGHTS,
    SupernetSettings,
    SupernetTraining,
    normalised,
)
from edgekd.tune.supernet.weights import Supernet

SETTINGS = SupernetSettings(steps=12, batch=12, rate=0.1, saved=4)


def supernet() -> Supernet:
    torch.manual_seed(3)
    return Supernet(SMALL, CLASSES)


def training(settings: SupernetSettings = SETTINGS, seed: int = 0) -> SupernetTraining:
    return SupernetTraining(settings, search_images(), MeanColour(), torch.device("cpu"), seed)


def weights(trained: Supernet) -> dict[str, torch.Tensor]:
    return {name: each.detach().clone() for name, each in trained.named_parameters()}


def same(one: Supernet, other: Supernet) -> bool:
    return all(each.equal(weights(other)[name]) for name, each in weights(one).items())


def loss_of(trained: Supernet) -> float:
    pixels = next(search_images().judging(24))
    with torch.no_grad():
        outputs = trained(SMALL.largest, normalised(pixels))
        return float(soft_cross_entropy(outputs, MeanColour()(pixels), 3.0))


def test_it_learns_from_the_teacher(tmp_path: Path) -> None:
    trained, reports = supernet(), []
    before = loss_of(trained)
    settings = msgspec.structs.replace(SETTINGS, steps=60, saved=20)
    training(settings).run(trained, tmp_path, "a", lambda *row: reports.append(row))
    assert [done for done, _ in reports] == [20, 40, 60]
    assert reports[-1][1] < reports[0][1]
    assert loss_of(trained) < before - 0.02


def test_an_interrupted_training_gives_the_same_weights(tmp_path: Path) -> None:
    whole = supernet()
    training().run(whole, tmp_path / "whole", "a")

    def interrupt(done: int, loss: float) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training().run(supernet(), tmp_path / "parts", "a", interrupt)
    continued, reports = supernet(), []
    training().run(continued, tmp_path / "parts", "a", lambda *row: reports.append(row[0]))
    assert reports == [12]
    assert same(whole, continued)


def test_a_finished_training_is_taken_and_one_for_something_else_is_not(tmp_path: Path) -> None:
    first, again, other = supernet(), supernet(), supernet()
    training().run(first, tmp_path, "a")
    reports: list[int] = []
    training().run(again, tmp_path, "a", lambda *row: reports.append(row[0]))
    assert reports == []
    assert same(first, again)
    training(seed=1).run(other, tmp_path, "b", lambda *row: reports.append(row[0]))
    assert reports == [4, 8, 12]
    assert not same(first, other)
    assert (tmp_path / WEIGHTS).is_file()


def test_a_loss_that_is_no_number_is_refused(tmp_path: Path) -> None:
    class Broken(MeanColour):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return super().forward(pixels) * float("nan")

    broken = SupernetTraining(SETTINGS, search_images(), Broken(), torch.device("cpu"))
    with pytest.raises(InputError, match="loss is nan"):
        broken.run(supernet(), tmp_path, "a")


def test_each_step_has_images_and_a_path_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, paths = [], []
    batch, forward = SearchImages.batch, Supernet.forward

    def noted_batch(images: SearchImages, count: int, generator: torch.Generator) -> torch.Tensor:
        shown.append(batch(images, count, generator))
        return shown[-1]

    def noted_path(trained: Supernet, options: MobileOptions, pixels: torch.Tensor) -> torch.Tensor:
        paths.append(options)
        return forward(trained, options, pixels)

    monkeypatch.setattr(SearchImages, "batch", noted_batch)
    monkeypatch.setattr(Supernet, "forward", noted_path)
    training().run(supernet(), tmp_path, "a")
    assert len({each.sum().item() for each in shown}) == 12
    assert len(set(paths)) > 6


def test_both_sides_are_softened_without_the_factor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekd.tune.supernet import training as module

    temperatures = []

    def noted(logits: torch.Tensor, target: torch.Tensor, temperature: float) -> torch.Tensor:
        temperatures.append(temperature)
        return soft_cross_entropy(logits, target, temperature)

    monkeypatch.setattr(module, "soft_cross_entropy", noted)
    training().run(supernet(), tmp_path, "a")
    assert temperatures == [3.0] * 12
