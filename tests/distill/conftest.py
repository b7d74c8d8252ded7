"""Golden arrays, and a run small enough to be trained many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import manual_methods
import numpy as np
import pytest
import shares
import torch
from method_share import samples
from pair import left_by_pair, trained_in_pair
from torch import Tensor

from edgekd.distill.runs import pipeline
from edgekd.recipe import Recipe, convert

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


TINY = {
    "arch": "resnet10t",
    "options": {"channels": [4, 4, 8, 8], "stem_width": 4, "act_layer": "relu6"},
}


WIDER = {
    "arch": "resnet10t",
    "options": {"channels": [4, 8, 8, 16], "stem_width": 4, "act_layer": "relu6"},
}


Golden = Callable[[str], dict[str, Tensor]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def precision(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.fixture
def golden(precision: torch.dtype) -> Golden:
    """Reads a golden file; its real inputs come in the precision under test."""

    def read(name: str) -> dict[str, Tensor]:
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            tensors = {key: torch.from_numpy(np.asarray(arrays[key])) for key in arrays.files}
        return {k: t.to(precision) if t.is_floating_point() else t for k, t in tensors.items()}

    return read


@pytest.fixture
def agree(precision: torch.dtype) -> Callable[[Tensor, Tensor], None]:
    """Equal to 1e-10 in float64, to a relative 5e-4 in float32 (sums depend on processors)."""
    exact = precision == torch.float64
    limits = {"atol": 1e-10, "rtol": 0.0} if exact else {"atol": 1e-6, "rtol": 5e-4}

    def check(found: Tensor, wanted: Tensor) -> None:
        assert found.dtype == wanted.dtype
        torch.testing.assert_close(found.detach(), wanted, **limits)

    return check


@pytest.fixture(scope="session")
def pair(made_once: Callable[[str, Callable[[Path], None]], Path]) -> list[dict[str, Any]]:
    """The `outcomes` of `shares.py` of each of two processes, started once for all workers."""

    def make(folder: Path) -> None:
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("WORK", str(folder / "work"))
            patched.setenv("METHODS", manual_methods.install(folder / "site"))
            for divided in (False, True):
                samples(divided)  # decoded once
            trained_in_pair(shares.__file__, folder)

    return left_by_pair(made_once("pair", make))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKD_CACHE", str(cache))


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    """A recipe of 70 painted images at 16 px; keywords replace sections."""

    def make(**sections: Any) -> Recipe:
        fit = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3}
        raw = {
            "name": "tiny",
            "image_size": 32,
            "data": {"source": "synthetic", "images": 70, "size": 32, "seed": 1},
            "split": {"validation": 0.25, "test": 0.2},
            "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
            "teacher": {"model": WIDER, "fit": {**fit, "epochs": 1}},
            "student": {"model": TINY, "fit": fit},
        }
        return convert(raw | sections, Recipe, "the test's recipe")

    return make


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the teacher of all runs is, once one of them has trained it."""
    return tmp_path_factory.mktemp("teacher")


@pytest.fixture
def taught(recipe: Callable[..., Recipe], teacher: Path) -> Callable[..., Recipe]:
    """Recipes whose teacher is trained already."""
    if not (teacher / "model.json").is_file():
        pipeline.train(pipeline.RunRequest(recipe(), teacher))
    return lambda **sections: recipe(**{"teacher": {"checkpoint": str(teacher)}, **sections})
