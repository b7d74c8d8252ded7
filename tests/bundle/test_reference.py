"""The float student beside a model file: checked by its hash, kept out of apps and of no device."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from certifying import write_uncertified
from tiny_bundles import MEANS

from edgekd.bundle import Bundle, generate_key, pack_bundle, sign_bundle, zip_bundle
from edgekd.bundle.reference import read_reference, reference_files
from edgekd.errors import ArtefactError
from edgekd.runtime import Classifier

PLACE = "reference/model.onnx"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_uncertified(tmp_path / "bundle")


def test_it_is_read_with_the_bytes_that_the_manifest_names(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        files = read_reference(opened)
        assert files is not None
        assert files.read() == (bundle / PLACE).read_bytes()
        assert PLACE not in opened.manifest.files
        assert files.read() != opened.model.read()


def test_a_bundle_without_one_has_none(tmp_path: Path) -> None:
    with Bundle.open(write_uncertified(tmp_path / "b", precision="fp32")) as opened:
        assert read_reference(opened) is None
        assert reference_files(opened) == {}


def test_a_changed_byte_is_noticed(bundle: Path) -> None:
    content = bytearray((bundle / PLACE).read_bytes())
    content[-1] ^= 1
    (bundle / PLACE).write_bytes(content)
    with (
        Bundle.open(bundle) as opened,
        pytest.raises(ArtefactError, match="does not have the hash"),
    ):
        read_reference(opened)
    (bundle / PLACE).write_bytes(content + b"more")
    with Bundle.open(bundle) as opened, pytest.raises(ArtefactError, match="larger than"):
        read_reference(opened)


def test_a_main_file_that_is_none_of_its_files_is_noticed(tmp_path: Path) -> None:
    import msgspec

    from edgekd.bundle import MANIFEST

    folder = write_uncertified(tmp_path / "b")
    document = msgspec.json.decode((folder / MANIFEST).read_bytes())
    document["reference"]["model_file"] = "other.onnx"
    (folder / MANIFEST).write_bytes(msgspec.json.encode(document))
    with (
        Bundle.open(folder) as opened,
        pytest.raises(ArtefactError, match=r"no file 'other\.onnx'"),
    ):
        read_reference(opened)


def test_a_name_that_leads_out_of_the_bundle_is_refused(tmp_path: Path) -> None:
    import msgspec

    from edgekd.bundle import MANIFEST

    folder = write_uncertified(tmp_path / "b")
    document = msgspec.json.decode((folder / MANIFEST).read_bytes())
    document["reference"]["files"]["../model.onnx"] = document["files"]["model.onnx"]
    (folder / MANIFEST).write_bytes(msgspec.json.encode(document))
    with Bundle.open(folder) as opened, pytest.raises(ArtefactError, match="leads out"):
        read_reference(opened)


def test_a_device_runs_the_bundle_with_it_and_without_it(bundle: Path) -> None:
    with Classifier.open(bundle) as classifier:
        assert classifier.selftest().passed
    shutil.rmtree(bundle / "reference")
    with Classifier.open(bundle) as classifier:
        assert classifier.selftest().passed
    with Bundle.open(bundle) as opened:
        assert read_reference(opened) is None


def test_an_app_gets_the_bundle_without_it_and_its_signature_holds(
    bundle: Path, tmp_path: Path
) -> None:
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(bundle, tmp_path / "key.pem")
    with Bundle.open(bundle) as opened:
        pack_bundle(opened, tmp_path / "app.edgekd")
        assert opened.manifest.reference is not None
    with Bundle.open(tmp_path / "app.edgekd", public_key=tmp_path / "key.pub.pem") as packed:
        assert packed.signature == "verified"
        assert packed.manifest.reference is not None
        assert read_reference(packed) is None


def test_a_zip_keeps_it_when_it_is_signed(bundle: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "bundle.edgekd"
    zip_bundle(bundle, zipped)
    generate_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    sign_bundle(zipped, tmp_path / "key.pem")
    with Bundle.open(zipped, public_key=tmp_path / "key.pub.pem") as opened:
        files = read_reference(opened)
    assert files is not None
    assert files.read() == (bundle / PLACE).read_bytes()


def test_part_of_its_files_is_no_float_student(tmp_path: Path) -> None:
    import msgspec

    from edgekd.bundle import ReferenceRecord, write_bundle

    source = write_uncertified(tmp_path / "b", reference=MEANS)
    with Bundle.open(source) as opened:
        files: dict[str, bytes | Path] = {n: opened.read(n) for n in opened.manifest.files}
        record = ReferenceRecord(backend="openvino", model_file="model.xml")
        manifest = msgspec.structs.replace(opened.manifest, reference=record)
    out = tmp_path / "two"
    write_bundle(out, manifest, files, {"model.xml": b"<net/>", "model.bin": b"weights"})
    with Bundle.open(out) as opened:
        assert set(reference_files(opened)) == {"reference/model.xml", "reference/model.bin"}
    (out / "reference" / "model.bin").unlink()
    with Bundle.open(out) as opened, pytest.raises(ArtefactError, match=r"model\.bin is missing"):
        reference_files(opened)
