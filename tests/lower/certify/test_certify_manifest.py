"""What a certified bundle says of itself."""

from __future__ import annotations

from pathlib import Path

import lenient
import msgspec
from certifying import read_labelled, write_uncertified

from edgekd.bundle import Bundle
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.lower.certify.manifest import limits_text
from edgekd.lower.certify.run import CertifyRequest, certify


def test_limits_and_source_name_both_data_sets(table: Path, tmp_path: Path) -> None:
    bundle = write_uncertified(
        tmp_path / "b", data_source="HAM10000. Tschandl 2018.", format_version="1.8",
        licences={"data": "CC BY-NC 4.0", "weights": "start: imagenet; else as the data"},
    )  # fmt: skip
    request = CertifyRequest(
        bundle, read_labelled(table), tmp_path / "out", policy=str(lenient.POLICY)
    )
    manifest = certify(request).manifest
    assert manifest is not None
    assert manifest.format_version == FORMAT_VERSION
    assert "on 90 images of labels" in manifest.limits
    assert "HAM10000. Tschandl 2018" in manifest.limits
    assert manifest.data_source.startswith("labels; the student is of HAM10000")
    assert manifest.licences["data"] == "unknown"
    assert manifest.licences["weights"] == "start: imagenet; else as the data"


def test_a_bundle_that_recorded_no_rung_gets_one(table: Path, tmp_path: Path) -> None:
    bundle = write_uncertified(tmp_path / "b")
    with Bundle.open(bundle) as opened:
        lowering = msgspec.structs.replace(opened.manifest.lowering, rungs=(), tried=None)
    without = write_uncertified(tmp_path / "w", lowering=lowering, certificate=None)
    request = CertifyRequest(
        without, read_labelled(table), tmp_path / "out", policy=str(lenient.POLICY)
    )
    manifest = certify(request).manifest
    assert manifest is not None
    (rung,) = manifest.lowering.rungs
    assert (rung.precision, rung.chosen, manifest.lowering.tried) == ("int8", True, 1)
    assert rung.gate is not None
    assert rung.gate.passed
    assert manifest.certificate is not None
    assert manifest.certificate.student == "tiny"


def test_a_student_of_unknown_data_is_said_to_be_one(tmp_path: Path) -> None:
    with Bundle.open(write_uncertified(tmp_path / "b")) as opened:
        text = limits_text(3, "mine", opened.manifest)
    assert "on 3 images of mine" in text
    assert "tiny, of unknown data" in text
