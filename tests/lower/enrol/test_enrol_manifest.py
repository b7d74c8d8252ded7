"""The manifest of an enrolled bundle: its file, its classes, and what it must not claim."""

from __future__ import annotations

from pathlib import Path

import pytest
from enrolling import read_lessons, write_lessons, write_teachable

from edgekd.bundle import Bundle, Certificate, EnrolledClass, HeadRecord
from edgekd.bundle.manifest import FORMAT_VERSION, decode_manifest, encode_manifest
from edgekd.data import Split
from edgekd.lower.enrol.extractor import extractor_of
from edgekd.lower.enrol.manifest import REMEDY, enrolled_manifest

HEAD = HeadRecord(
    weights=((0.5,) * 8, (0.25,) * 8, (0.0,) * 8), bias=(0.0, 1.0, -1.0), images=15, groups=12,
    classes={"scar": EnrolledClass(images=5, groups=2)}, date="2026-11-30", earlier="a" * 64,
    balanced_accuracy=0.8, balanced_accuracy_low=0.6, balanced_accuracy_high=0.9,
)  # fmt: skip


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    dataset = read_lessons(write_lessons(tmp_path_factory.mktemp("lessons")))
    return Split(dataset, ("train",) * len(dataset.samples))


def test_it_is_read_again_as_it_was_written(split: Split, tmp_path: Path) -> None:
    with Bundle.open(write_teachable(tmp_path / "b")) as bundle:
        made = enrolled_manifest(bundle, split, "0" * 64, extractor_of(bundle), HEAD, 0)
    again = decode_manifest(encode_manifest(made))
    assert again == made
    assert again.format_version == FORMAT_VERSION
    assert again.head == HEAD
    assert again.model.classes == ("angioma", "naevus", "scar")
    assert again.network_data_format["outputs"] == {
        "features": {"type": "array", "dtype": "float32", "num_channels": 8}
    }
    assert again.certificate is not None
    assert again.certificate.remedy == REMEDY
    reason = "taught 3 classes by 15 images on 2026-11-30"
    assert again.certificate.reason == (
        f"{reason}, balanced accuracy when left out 0.800 [0.600, 0.900]"
    )
    assert "trained the network itself" not in again.limits
    (rung,) = again.lowering.rungs
    assert (rung.gate, rung.chosen) == (None, True)
    assert rung.size_bytes == len((tmp_path / "b" / "features" / "model.onnx").read_bytes())


def test_the_key_changes_with_what_it_was_taught(split: Split, tmp_path: Path) -> None:
    import msgspec

    with Bundle.open(write_teachable(tmp_path / "b")) as bundle:
        extractor = extractor_of(bundle)
        other = msgspec.structs.replace(HEAD, inverse_strength=2.0)
        keys = {
            enrolled_manifest(bundle, split, pixels, extractor, head, 0).lowering.build_key
            for pixels, head in (("0", HEAD), ("1", HEAD), ("0", other), ("0", HEAD))
        }
    assert len(keys) == 3


def test_where_the_student_came_from_is_kept(split: Split, tmp_path: Path) -> None:
    earlier = Certificate(student="lesion-s", certified=True, selftest="painted")
    bundle = write_teachable(tmp_path / "b", certificate=earlier, data_source="Hospital A.")
    with Bundle.open(bundle) as opened:
        made = enrolled_manifest(opened, split, "0", extractor_of(opened), HEAD, 3)
    assert made.certificate is not None
    assert (made.certificate.student, made.certificate.selftest) == ("lesion-s", "painted")
    assert not made.certificate.certified
    assert made.data_source == "labels taught the classes; the network is of Hospital A"
    assert made.limits.endswith("3 of the images trained the network itself: what was measured on "
                                "them is too good.")  # fmt: skip
