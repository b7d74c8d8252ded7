"""Runs with a cached teacher, against the same views with the teacher itself."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
import torch
from small_runs import run, same, weights

from edgekd.distill.runs import role_run
from edgekd.distill.teachers import serving
from edgekd.distill.teachers.teacher import Teacher
from edgekd.models import read_card

AUGMENT = {"policy": "trivial", "margin": 1.25, "crop": 0.7, "erase": 0.3}


@pytest.fixture(autouse=True)
def _own_cache_of_teachers(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))


def history(out) -> list[dict[str, float]]:
    with (out / "student" / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    return [{k: float(v) for k, v in row.items() if k not in ("waiting",) and v} for row in rows]


@pytest.fixture
def count(monkeypatch):
    """Numbers of images that the teacher computed, in and outside of the cache's making."""
    counts = {"images": 0}
    for name in ("outputs", "features"):
        forward = getattr(Teacher, name)

        def counted(self, batch, pixels=None, forward=forward):
            if self._cache_of(batch, pixels) is None:
                counts["images"] += len(batch.raw if pixels is None else pixels)
            return forward(self, batch, pixels)

        monkeypatch.setattr(Teacher, name, counted)
    return counts


# In which the teacher's outputs count for enough to be missed.
METHODS = [
    {"name": "kd", "temperature": 1.0, "weight": 1.0},
    {"name": "dkd", "ce": 0.0},
    {"name": "rkd"},
    {"name": "crckd_cross", "ce": 0.0},
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["name"])
def test_the_cache_gives_what_the_teacher_gives(recipe, taught, teacher, tmp_path, monkeypatch,
                                                count, method):  # fmt: skip
    section = {"checkpoint": str(teacher), "cache": {"views": 2, "seed": 5}}
    cached = recipe(teacher=section, method=method, augment=AUGMENT)
    run(cached, tmp_path / "cached")
    images = read_card(tmp_path / "cached" / "student").data.images["train"]
    assert count["images"] == 2 * images

    setup_of = serving.setup_of
    monkeypatch.setattr(
        role_run, "setup_of", lambda *args: replace(setup_of(*args), cache=None)
    )  # the same views, without the cache
    run(cached, tmp_path / "live")
    assert count["images"] > 2 * images
    with_cache, without = history(tmp_path / "cached"), history(tmp_path / "live")
    for row, expected in zip(with_cache, without, strict=True):
        assert row == pytest.approx(expected, rel=1e-5, abs=1e-7)
    for name, tensor in weights(tmp_path / "cached").items():
        torch.testing.assert_close(tensor, weights(tmp_path / "live")[name], rtol=1e-3, atol=1e-5)

    # Fresh views in every epoch make another student.
    run(recipe(teacher={"checkpoint": str(teacher)}, method=method, augment=AUGMENT),
        tmp_path / "fresh")  # fmt: skip
    assert not same(weights(tmp_path / "fresh"), weights(tmp_path / "cached"))


def test_methods_and_seeds_share_a_cache(recipe, taught, teacher, tmp_path, count):
    section = {"checkpoint": str(teacher), "cache": {"views": 3}}
    for number, sections in enumerate(
        [{}, {"seed": 4}, {"method": {"name": "dkd"}},
         {"split": {"validation": 0.25, "test": 0.2, "seed": 0}}]
    ):  # fmt: skip
        run(recipe(teacher=section, **sections), tmp_path / str(number))
    card = read_card(tmp_path / "0" / "student")
    assert count["images"] == 3 * card.data.images["train"]
    assert card.training.teaching == {"cache": {"views": 3, "seed": 0}}
    run(recipe(teacher={**section, "cache": {"views": 3, "seed": 1}}), tmp_path / "other")
    assert count["images"] == 6 * card.data.images["train"]


def test_an_ensemble_is_cached(recipe, taught, teacher, tmp_path, count):
    two = [{"checkpoint": str(teacher)}] * 2
    run(recipe(teachers=two, teacher={"cache": {"views": 2}}), tmp_path)
    assert count["images"] == 2 * read_card(tmp_path / "student").data.images["train"]
