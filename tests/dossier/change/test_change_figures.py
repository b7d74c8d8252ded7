"""Paired figures of two scripted models, whose differences are known."""

from __future__ import annotations

import pytest
from scripted import answered, data_of, validation_of

from edgekd.bench.result import Estimate
from edgekd.dossier.change.figures import PairedFigure, paired_figures


def test_figures_of_two_models_with_known_answers() -> None:
    labels = ["mel"] * 40 + ["nv"] * 40 + ["bkl"] * 40
    data = data_of(labels)
    worse = ["nv"] * 10 + labels[10:]  # ten melanomas are lost
    verdicts = ["answer"] * 120
    fewer = ["refer"] * 5 + verdicts[5:]  # five of them are referred
    old, new = answered(data, labels, verdicts), answered(data, worse, fewer, name="new")
    figures = {each.title: each for each in paired_figures(validation_of(data, old, new))}
    assert list(figures) == [
        "balanced accuracy", "not answered", "sensitivity of mel", "answered wrong of mel",
        "sensitivity of nv", "answered wrong of nv", "sensitivity of bkl", "answered wrong of bkl",
    ]  # fmt: skip
    mel = figures["sensitivity of mel"]
    assert (mel.old, mel.new, mel.images) == (1.0, 0.75, 40)
    assert mel.difference.value == pytest.approx(-0.25)
    assert mel.worst is not None
    assert mel.worst > 0.25
    wrong = figures["answered wrong of mel"]
    assert (wrong.old, wrong.new) == (0.0, 0.125)
    assert wrong.difference.value == pytest.approx(0.125)
    assert wrong.worst is not None
    assert wrong.worst > 0.125
    referred = figures["not answered"]
    assert (referred.old, referred.new, referred.images) == (0.0, pytest.approx(5 / 120), 120)
    assert referred.difference.value == pytest.approx(5 / 120)
    assert figures["balanced accuracy"].difference.value == pytest.approx(-0.25 / 3)
    assert figures["sensitivity of nv"].difference.value == 0.0


def test_without_an_interval_nothing_is_the_worst() -> None:
    figure = PairedFigure("sensitivity", "mel", 1.0, 1.0, Estimate(value=0.0), 1)
    assert figure.worst is None
