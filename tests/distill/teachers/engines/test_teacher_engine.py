"""A teacher in another engine: refused where it is not what PyTorch computes."""

from __future__ import annotations

from typing import ClassVar, get_args

import pytest
import torch
from lowered_teachers import lowered, made
from torch import Tensor, nn

from edgekd.distill.teachers.engines import engine
from edgekd.distill.teachers.engines.engine import Engine
from edgekd.errors import InputError
from edgekd.extensions.teacher_engines import TEACHER_ENGINES, TeacherEngine


class Scaled(Engine):
    """PyTorch, whose first tensor is wrong by a factor."""

    name = "scaled"
    title = "Scaled"
    tolerances: ClassVar[dict[str, float]] = {"fp32": 1e-3, "bf16": 5e-2}
    version = "1"
    factor = 1.0

    def __init__(self, network: nn.Module, example: Tensor, precision: str, threads: int) -> None:
        super().__init__(network, example, precision, threads)
        self._network = network

    def infer(self, pixels: Tensor) -> list[Tensor]:
        first, *others = self._network(pixels)
        return [first * self.factor, *others]


@pytest.fixture(autouse=True)
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TEACHER_ENGINES", {"scaled": f"{__name__}:Scaled"})


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize(("precision", "factor"), [("fp32", 1.01), ("bf16", 1.1), ("fp32", 0.99)])
def test_a_difference_outside_of_the_tolerance_is_refused(monkeypatch, features, precision, factor):
    monkeypatch.setattr(Scaled, "factor", factor)
    share = rf"{abs(factor - 1):.1%}"
    with pytest.raises(InputError, match=rf"Scaled .*by up to .*{share} of the largest"):
        lowered(made(), features=features, precision=precision, name="scaled")


def test_a_difference_within_the_tolerance_is_kept_for_the_card(monkeypatch):
    monkeypatch.setattr(Scaled, "factor", 1.01)
    evidence = lowered(made(), precision="bf16", name="scaled").evidence()
    assert evidence.pop("largest_difference") > 0
    assert evidence == {"name": "scaled", "version": "1", "precision": "bf16", "images": 8}


@pytest.mark.parametrize("features", [False, True])
def test_outputs_are_the_last_tensor(features):
    of, pixels = made(), torch.rand(2, 3, 32, 32)
    made_by = lowered(of, features=features, name="scaled")
    assert made_by.outputs(pixels).equal(of(pixels))
    if features:
        assert made_by.features(pixels).logits.equal(of(pixels))


def test_a_network_that_gives_nothing_but_nan_is_refused():
    of = made()
    of.network.fc.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="differs"):
        lowered(of, name="scaled")


def test_a_precision_that_the_engine_lacks_is_refused():
    with pytest.raises(InputError, match="scaled` has no precision fp16") as refused:
        lowered(made(), precision="fp16", name="scaled")
    assert "fp32 or bf16" in refused.value.hint


def test_a_network_that_cannot_be_converted_is_refused(monkeypatch):
    def refuse(*_: object) -> None:
        raise ValueError("no such layer\nand more")

    monkeypatch.setattr(Scaled, "__init__", refuse)
    with pytest.raises(InputError, match=r"Scaled cannot convert the teacher: no such layer$"):
        lowered(made(), name="scaled")


def test_a_recipe_names_every_engine():
    assert {"torch", *TEACHER_ENGINES} == set(get_args(TeacherEngine))
