from __future__ import annotations

import hashlib
from pathlib import Path

from tiny_bundles import write_tiny_bundle

import edgekd
from edgekd.bundle import zip_bundle
from edgekd.runtime import Classifier
from edgekd.runtime.export import DeviceIdentity


def test_a_bundle_has_the_same_identity_as_a_folder_and_as_a_zip(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "bundle", version="0.0.9", intended_use="Support.")
    zip_bundle(folder, tmp_path / "bundle.edgekd")
    with Classifier.open(folder) as first, Classifier.open(tmp_path / "bundle.edgekd") as second:
        device = DeviceIdentity.of(first, udi="(01)1")
        assert DeviceIdentity.of(second, udi="(01)1") == device
    sha256 = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert (device.name, device.sha256, device.udi) == ("tiny cpu fp32", sha256, "(01)1")
    assert (device.edgekd, device.built_by) == (edgekd.__version__, "0.0.9")
    assert "onnxruntime" in device.engine
    assert device.intended_use == "Support."


def test_its_uid_is_one_that_dicom_allows(device: DeviceIdentity) -> None:
    assert device.uid.startswith("2.25.")
    assert len(device.uid) <= 64
    assert device.uid == DeviceIdentity("another", device.sha256, "", "", "").uid
    assert device.uid != DeviceIdentity("another", "cd" * 32, "", "", "").uid
