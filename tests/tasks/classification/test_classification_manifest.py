from __future__ import annotations

import json
from typing import Any

import pytest
from manifests import make_manifest

from edgekd.bundle import FileEntry
from edgekd.bundle.manifest import decode_manifest, encode_manifest
from edgekd.errors import ArtefactError
from edgekd.tasks.classification.manifest import Decision, Manifest

FILES = {"model.onnx": FileEntry(sha256="0" * 64, size=3)}


def decoded(decision: dict[str, Any]) -> Any:
    document = json.loads(encode_manifest(make_manifest(files=FILES)))
    document["decision"] = decision
    return decode_manifest(json.dumps(document).encode()).decision


def test_fields_of_newer_formats_are_ignored() -> None:
    assert decoded({"temperature": 2, "hue": 3}) == Decision(temperature=2.0)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ({"temperature": 1e-4}, "temperature must lie"),
        ({"thresholds": {"mole": 0.3}}, "threshold of 'mole' must be of a class"),
        ({"thresholds": {"mel": 1.5}}, "threshold of 'mel' must be of a class"),
        ({"refer_below": -0.1}, "refer_below must lie"),
        ({"conformal_quantile": 1.1}, "conformal_quantile must lie"),
    ],
)
def test_contradiction_is_refused(decision: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtefactError, match="contradicts itself") as caught:
        decoded(decision)
    assert message in caught.value.message


def test_energy_has_to_be_finite() -> None:
    model = make_manifest().model
    assert Manifest().check(model, Decision(energy_threshold=-3.0)) == ""
    assert "finite" in Manifest().check(model, Decision(energy_threshold=float("inf")))
    assert "; " in Manifest().check(model, Decision(temperature=0.0, refer_below=2.0))
