"""Putting a validation together."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifests import make_manifest
from scripted import CLASSES, answered, data_of, mixed, validation_of
from tiny_bundles import write_tiny_bundle

from edgekd.bundle import ModelInfo, write_bundle
from edgekd.errors import InputError
from edgekd.evaluation.leaks import Leaks
from edgekd.evaluation.validation import common_facts, prevalences


def test_prevalences() -> None:
    assert prevalences(["mel=0.02", "nv = 0.5"], CLASSES) == {"mel": 0.02, "nv": 0.5}
    for text, part in (
        ("scc=0.1", "names no class"), ("mel", "names no class"), ("mel=2", "no share"),
        ("mel=x", "no share"), ("mel=nan", "no share"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=part):
            prevalences([text], CLASSES)


def test_models_of_other_classes_are_not_compared(tmp_path: Path) -> None:
    first = write_tiny_bundle(tmp_path / "a")
    model = ModelInfo(name="tiny", classes=("mel", "nv"), image_size=16)
    write_bundle(tmp_path / "b", make_manifest(model=model), {"model.onnx": b"x"})
    assert common_facts([first]) == ("classification", ("bkl", "mel", "nv"), False)
    with pytest.raises(InputError, match=r"b knows mel, nv, .*a knows bkl, mel, nv"):
        common_facts([first, tmp_path / "b"])


def test_the_section_has_every_part() -> None:
    section = mixed().result.validation
    assert [model.name for model in section.models] == ["rpi int8", "jetson fp16", "student resnet"]
    assert [model.decides for model in section.models] == [True, True, False]
    assert len(section.differences) == 3
    assert [each.state for each in section.leaks] == ["none"] * 3
    assert section.labels.absent == []
    for model in section.models:
        assert set(model.outcomes) == set(CLASSES)
        assert list(model.values) == ["mel"]
        assert [each.name for each in model.attributes] == ["sex", "age", "site"]
        assert (model.gaps[0].attribute, model.gaps[0].lower) == ("sex", "female")


def test_a_table_without_groups_and_subgroups() -> None:
    data = data_of(["mel", "nv"] * 10)
    section = validation_of(
        data, answered(data, ["mel", "nv"] * 10, ["answer"] * 20)
    ).result.validation
    (model,) = section.models
    assert (model.gaps, model.attributes, model.comparisons) == ([], [], 0)
    assert model.outcomes["mel"].groups is None
    assert section.labels.absent == ["bkl"]


def test_leaks_that_were_allowed_are_in_the_document() -> None:
    data = data_of(["mel", "nv"] * 10)
    model = answered(data, ["mel", "nv"] * 10, ["answer"] * 20)
    parts = {3: "train", 0: "validation"}
    section = validation_of(data, model, leaks=[Leaks(Path("m"), parts)]).result.validation
    (leaks,) = section.leaks
    assert (leaks.state, leaks.by_part) == ("found", {"train": 1, "validation": 1})
    assert leaks.first == ["0000.jpg", "0003.jpg"]
    (unknown,) = validation_of(
        data, model, leaks=[Leaks(Path("m"), {}, "no list")]
    ).result.validation.leaks
    assert (unknown.state, unknown.reason) == ("not checked", "no list")
