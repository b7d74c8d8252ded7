from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.errors import ArtefactError
from edgekd.runtime import Classifier
from edgekd.runtime.selftest import Vectors


def report_of(bundle: Path, limit: int | None = None) -> Any:
    with Classifier.open(bundle, selftest=False) as classifier:
        return classifier.selftest(limit=limit)


def test_right_machine_passes(make_bundle: Any) -> None:
    report = report_of(make_bundle())
    assert report.passed
    assert (report.images, report.flips, report.tolerance) == (16, 0, 1e-3)
    assert 0 <= report.max_difference <= 1e-3


def test_limit_runs_fewer(make_bundle: Any, vectors: Vectors) -> None:
    assert report_of(make_bundle(), limit=5).images == 5
    assert report_of(make_bundle(), limit=100).images == 16


def test_one_logit_off_fails(make_bundle: Any, vectors: Vectors) -> None:
    logits = vectors.logits.copy()
    logits[7, 1] += 0.25
    report = report_of(make_bundle(vectors=dataclasses.replace(vectors, logits=logits)))
    assert not report.passed
    assert report.max_difference == pytest.approx(0.25, abs=1e-3)


def test_flips_are_counted(make_bundle: Any, vectors: Vectors) -> None:
    logits = vectors.logits.copy()
    logits[:3] = -logits[:3]
    report = report_of(make_bundle(vectors=dataclasses.replace(vectors, logits=logits)))
    assert report.flips == 3


def test_difference_at_the_tolerance_passes(make_bundle: Any, vectors: Vectors) -> None:
    generous = dataclasses.replace(vectors, logits=vectors.logits + 0.5, tolerance=0.6)
    assert report_of(make_bundle(vectors=generous)).passed
    strict = dataclasses.replace(generous, tolerance=0.4)
    assert not report_of(make_bundle(vectors=strict)).passed


def test_answers_that_are_not_finite_fail(make_bundle: Any, vectors: Vectors) -> None:
    logits = vectors.logits.copy()
    logits[0, 0] = np.nan
    report = report_of(make_bundle(vectors=dataclasses.replace(vectors, logits=logits)))
    assert not report.passed
    assert math.isnan(report.max_difference)


def test_bundle_without_vectors(make_bundle: Any) -> None:
    with pytest.raises(ArtefactError, match="carries no self-test vectors"):
        report_of(make_bundle(vectors=None))


def saved(vectors: Vectors, tmp_path: Path) -> bytes:
    vectors.save(tmp_path / "v.npz")
    return (tmp_path / "v.npz").read_bytes()


def read(content: bytes) -> Vectors:
    return Vectors.read(io.BytesIO(content))


def test_round_trip(tmp_path: Path, vectors: Vectors) -> None:
    again = read(saved(vectors, tmp_path))
    np.testing.assert_array_equal(again.images, vectors.images)
    np.testing.assert_array_equal(again.logits, vectors.logits)
    assert again.tolerance == vectors.tolerance


def test_damaged_content(tmp_path: Path, vectors: Vectors) -> None:
    whole = saved(vectors, tmp_path)
    np.save(tmp_path / "one.npy", vectors.images)
    one = (tmp_path / "one.npy").read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-40], one):
        with pytest.raises(ArtefactError, match="cannot be read"):
            read(content)


def parsed(tmp_path: Path, **arrays: Any) -> Vectors:
    np.savez_compressed(tmp_path / "v.npz", **arrays)
    return read((tmp_path / "v.npz").read_bytes())


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    logits = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ArtefactError, match="cannot be read"):
        parsed(tmp_path, images=np.zeros((1, 2, 2, 3)), logits=logits, tolerance=1.0)


def test_missing_array(tmp_path: Path, vectors: Vectors) -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        parsed(tmp_path, images=vectors.images, logits=vectors.logits)


def test_archive_that_swells_is_not_unpacked(tmp_path: Path, vectors: Vectors) -> None:
    swollen = np.zeros((300, 1024, 1024), np.uint8)
    with pytest.raises(ArtefactError, match="cannot be read"):
        parsed(tmp_path, images=swollen, logits=vectors.logits, tolerance=1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((16, 16, 3), np.uint8)},
        {"images": np.zeros((15, 16, 16, 3), np.uint8)},
        {"images": np.zeros((16, 16, 16, 3), np.float32)},
        {"logits": np.zeros(16, np.float32)},
        {"images": np.zeros((0, 16, 16, 3), np.uint8), "logits": np.zeros((0, 3), np.float32)},
    ],
    ids=["no batch", "one too few", "not bytes", "no classes", "empty"],
)
def test_arrays_that_contradict_one_another(
    make_bundle: Any, vectors: Vectors, change: dict[str, Any]
) -> None:
    with pytest.raises(ArtefactError, match="contradict one another"):
        report_of(make_bundle(vectors=dataclasses.replace(vectors, **change)))


@pytest.mark.parametrize(
    "change",
    [{"images": np.zeros((16, 8, 8, 3), np.uint8)}, {"logits": np.zeros((16, 4), np.float32)}],
    ids=["another size", "another class count"],
)
def test_vectors_of_another_model(
    make_bundle: Any, vectors: Vectors, change: dict[str, Any]
) -> None:
    with pytest.raises(ArtefactError, match="do not belong to the model"):
        report_of(make_bundle(vectors=dataclasses.replace(vectors, **change)))
