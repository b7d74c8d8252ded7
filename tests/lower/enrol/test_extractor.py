"""What gives a bundle's features, and that it is tested before it is believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from enrolling import FEATURES, read_lessons, write_lessons, write_teachable

from edgekd.bundle import Bundle
from edgekd.errors import ArtefactError, InputError
from edgekd.lower.enrol.extractor import extractor_of
from edgekd.lower.enrol.run import EnrolRequest, enrol

IMAGES = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)


def test_features_are_those_of_the_file_beside_the_model(tmp_path: Path) -> None:
    seen: list[int] = []
    with Bundle.open(write_teachable(tmp_path / "b")) as bundle:
        extractor = extractor_of(bundle)
        found = extractor.features(bundle, IMAGES, seen.append)
    assert (extractor.size, extractor.backend, extractor.precision) == (8, "onnx", "fp32")
    assert set(extractor.files) == {"model.onnx"}
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, IMAGES.mean(axis=(1, 2)) @ FEATURES, rtol=1e-4, atol=1e-4)
    assert seen == [0, 1, 2]


def test_an_enrolled_bundle_gives_the_same_features(tmp_path: Path) -> None:
    bundle, table = write_teachable(tmp_path / "b"), write_lessons(tmp_path / "lessons")
    enrol(EnrolRequest(bundle, read_lessons(table), tmp_path / "out"))
    with Bundle.open(bundle) as first, Bundle.open(tmp_path / "out") as second:
        features = [extractor_of(each).features(each, IMAGES, lambda n: None)
                    for each in (first, second)]  # fmt: skip
        assert extractor_of(second).files == extractor_of(first).files
    np.testing.assert_array_equal(*features)


def test_a_bundle_without_any_is_refused(tmp_path: Path) -> None:
    bundle = write_teachable(tmp_path / "b", features=None)
    with Bundle.open(bundle) as opened, pytest.raises(InputError, match="has no features"):
        extractor_of(opened)


def test_nothing_is_computed_where_the_self_test_fails(tmp_path: Path) -> None:
    bundle = write_teachable(tmp_path / "b", wrong_by=0.1)
    with Bundle.open(bundle) as opened:
        extractor = extractor_of(opened)
        with pytest.raises(ArtefactError, match="off by 0"):
            extractor.features(opened, IMAGES, lambda n: pytest.fail("ran"))
