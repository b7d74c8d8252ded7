"""Every field that differs is of an area; figures and hashes that follow from it are no change."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from manifests import make_manifest

from edgekd.bundle import DataRecord, FileEntry, Lineage, Lowering, Manifest, PartRecord
from edgekd.dossier.change.manifests import (
    area_of,
    changes_between,
    figures_of_manifest,
)
from edgekd.tasks.classification.manifest import Decision


def manifest(sha256: str = "a" * 64, **changes: Any) -> Manifest:
    return make_manifest(files={"model.onnx": FileEntry(sha256=sha256, size=1)}, **changes)


def fields(**changes: Any) -> list[tuple[str, str, str, str]]:
    changed = changes_between(manifest(), manifest(**changes))
    return [(each.area, each.field, each.old, each.new) for each in changed]


def test_the_same_bundle_has_no_change() -> None:
    assert fields() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lineage": Lineage(method="kd", seed=4)}, ("method", "lineage.seed", "3", "4")),
        ({"lineage": Lineage(method="dkd", seed=3)}, ("method", "lineage.method", "kd", "dkd")),
        (
            {"decision": Decision(temperature=2.0)},
            ("decision", "decision.temperature", "1.0", "2.0"),
        ),
        (
            {"lowering": Lowering(target="cpu", backend="onnx", precision="int8")},
            ("lowering", "lowering.precision", "fp32", "int8"),
        ),
        (
            {"lineage": Lineage(method="kd", seed=3, data_sha256="d")},
            ("data", "lineage.data_sha256", "none", "d"),
        ),
        ({"intended_use": "x"}, ("texts", "intended_use", "", "x")),
    ],
)
def test_a_field_is_of_its_area(changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert fields(**changes) == [expected]


def test_other_weights_are_a_change_of_the_method_where_nothing_else_explains_them() -> None:
    (change,) = fields(sha256="b" * 64)
    assert change[:2] == ("method", "model_file")
    lowering = Lowering(target="cpu", backend="onnx", precision="int8")
    assert [each[0] for each in fields(sha256="b" * 64, lowering=lowering)] == ["lowering"]


def test_figures_are_no_change() -> None:
    assert fields(metrics={"artefact": {"balanced_accuracy": {"value": 0.5}}}) == []


def test_patients_of_a_part_are_data() -> None:
    part = PartRecord(images=3, groups=3, attributes={"sex": {"f": 3}})
    data = DataRecord(name="spots", parts={"train": part})
    areas = {each[0] for each in fields(data=data)}
    assert areas == {"data"}
    assert ("data", "data.parts.train.attributes.sex.f", "none", "3") in fields(data=data)


def test_no_field_of_a_manifest_is_without_an_area() -> None:
    outcomes = {"format_version", "metrics", "files", "model_file"}
    plain = [name for name in Manifest.__struct_fields__ if name not in outcomes]
    parts = [f"lineage.{name}" for name in Lineage.__struct_fields__]
    parts += ["licences.data", "licences.weights"]
    rest = [name for name in plain if name not in ("lineage", "licences")]
    assert [name for name in (*rest, *parts) if area_of(name) == "other"] == []
    assert area_of("hue") == "other"


def test_figures_with_an_interval_of_the_bundles_own_images() -> None:
    estimate = {"value": 0.8, "low": 0.7, "high": 0.9}
    metrics = {
        "artefact": {
            "balanced_accuracy": estimate,
            "per_class": {"mel": {"n": 3, "sensitivity": estimate}},
        },
        "decision": {"answered": estimate, "per_class": {"mel": {"missed": estimate, "images": 3}}},
    }
    names = list(figures_of_manifest(msgspec.structs.replace(manifest(), metrics=metrics)))
    assert names == ["balanced_accuracy", "sensitivity of mel", "answered", "missed of mel"]
