"""The features beside a model file: checked by their hash, kept out of apps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from certifying import write_uncertified
from enrolling import FEATURES, write_teachable

from edgekd.bundle import Bundle, generate_key, pack_bundle, sign_bundle, zip_bundle
from edgekd.bundle.features import features_files, read_features
from edgekd.errors import ArtefactError
from edgekd.runtime import Classifier

PLACE = "features/model.onnx"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_teachable(tmp_path / "bundle")


def test_they_are_read_with_the_bytes_that_the_manifest_names(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        files = read_features(opened)
        assert files is not None
        assert files.read() == (bundle / PLACE).read_bytes()
        assert set(features_files(opened)) == {PLACE, "features/selftest.npz"}
        assert PLACE not in opened.manifest.files


def test_a_bundle_without_them_has_none(tmp_path: Path) -> None:
    with Bundle.open(write_teachable(tmp_path / "b", features=None)) as opened:
        assert read_features(opened) is None
        assert features_files(opened) == {}


def test_a_changed_byte_is_noticed(bundle: Path) -> None:
    content = bytearray((bundle / PLACE).read_bytes())
    content[-1] ^= 1
    (bundle / PLACE).write_bytes(content)
    with (
        Bundle.open(bundle) as opened,
        pytest.raises(ArtefactError, match="does not have the hash"),
    ):
        read_features(opened)


def test_a_device_runs_the_bundle_without_them_and_an_app_gets_none(
    bundle: Path, tmp_path: Path
) -> None:
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(bundle, tmp_path / "key.pem")
    with Bundle.open(bundle) as opened:
        pack_bundle(opened, tmp_path / "app.edgekd")
    with Bundle.open(tmp_path / "app.edgekd", public_key=tmp_path / "key.pub.pem") as packed:
        assert read_features(packed) is None
    shutil.rmtree(bundle / "features")
    with Classifier.open(bundle, public_key=tmp_path / "key.pub.pem") as classifier:
        assert classifier.selftest().passed


def test_a_zip_keeps_them_and_the_float_student_when_it_is_signed(tmp_path: Path) -> None:
    both = write_uncertified(tmp_path / "both", features=FEATURES)
    zipped = tmp_path / "bundle.edgekd"
    zip_bundle(both, zipped)
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(zipped, tmp_path / "key.pem")
    with Bundle.open(zipped, public_key=tmp_path / "key.pub.pem") as opened:
        assert opened.read_unlisted("reference/model.onnx", 1 << 20) is not None
        assert read_features(opened) is not None
