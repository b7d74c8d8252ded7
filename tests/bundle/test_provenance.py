"""The provenance of a bundle: what it states, and which one is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manifests import make_manifest

from edgekd.bundle import (
    MANIFEST,
    Bundle,
    GateRecord,
    PolicyRecord,
    Rung,
    generate_key,
    sign_bundle,
    write_bundle,
    zip_bundle,
)
from edgekd.bundle.provenance import check_provenance, statement_of
from edgekd.bundle.reader import PROVENANCE
from edgekd.errors import ArtefactError, InputError

pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("keys")
    for name in ("key", "other"):
        generate_key(home / f"{name}.pem", home / f"{name}.pub.pem")
    return home


@pytest.fixture(params=["folder", "zipped"])
def signed(request: pytest.FixtureRequest, keys: Path) -> Path:
    path: Path = request.getfixturevalue(request.param)
    sign_bundle(path, keys / "key.pem", provenance=True)
    return path


def state(path: Path, key: Path | None) -> str:
    with Bundle.open(path, public_key=key) as bundle:
        return check_provenance(bundle, key)


def stated(path: Path) -> dict[str, Any]:
    """The statement in a signed folder."""
    envelope = json.loads((path / PROVENANCE).read_bytes())
    statement: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return statement


def test_states(signed: Path, keys: Path) -> None:
    assert state(signed, keys / "key.pub.pem") == "verified"
    assert state(signed, None) == "not checked"


def test_a_bundle_without_one(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem")
    assert state(folder, keys / "key.pub.pem") == "none"


def test_subjects_are_the_bundle_s_files(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem", provenance=True)
    statement = stated(folder)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    hashes = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert set(hashes) == {MANIFEST, *Bundle.open(folder).manifest.files}
    for name, sha256 in hashes.items():
        assert sha256 == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_what_it_was_built_from_and_by() -> None:
    gate = GateRecord(
        passed=True, reasons=(), images=9, max_logit_difference=0.1, flips=0.0, limits={},
        runtime={},
    )  # fmt: skip
    plain = make_manifest()
    manifest = msgspec.structs.replace(
        plain,
        policy=PolicyRecord(name="dermoscopy", sha256="d" * 64, research=True),
        lineage=msgspec.structs.replace(
            plain.lineage, recipe_sha256="e" * 64, data_sha256="f" * 64, git_revision="1" * 40
        ),
        lowering=msgspec.structs.replace(
            plain.lowering, build_key="k" * 64, tools={"onnx": "1.23.2"},
            calibration={"images": 8, "part": "train", "sha256": "c" * 64, "list": ["a"]},
            rungs=(Rung(precision="fp32", chosen=True, size_bytes=1, gate=gate),),
        ),
    )  # fmt: skip
    predicate = json.loads(statement_of(manifest, b"{}", "https://builds.example.org"))["predicate"]
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    assert definition["externalParameters"] == {
        "target": "cpu", "precision": "fp32", "policy": "dermoscopy", "research": True,
        "method": "kd", "seed": 3,
    }  # fmt: skip
    inputs = {each["name"]: each for each in definition["resolvedDependencies"]}
    assert inputs["recipe"]["digest"] == {"sha256": "e" * 64}
    assert inputs["split of the data"]["digest"] == {"sha256": "f" * 64}
    assert inputs["policy"]["digest"] == {"sha256": "d" * 64}
    assert inputs["source"]["digest"] == {"gitCommit": "1" * 40}
    assert inputs["onnx"]["uri"] == "pkg:pypi/onnx@1.23.2"
    assert details["builder"]["id"] == "https://builds.example.org"
    assert details["metadata"] == {"invocationId": "k" * 64}
    made = {each["name"]: each for each in details["byproducts"]}
    assert made["calibration"]["digest"] == {"sha256": "c" * 64}
    assert made["precision ladder"]["annotations"] == {"fp32": "chosen"}


def test_a_changed_byte(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem", provenance=True)
    document = json.loads((folder / PROVENANCE).read_bytes())
    body = bytearray(base64.b64decode(document["payload"]))
    body[body.index(b"local")] ^= 1  # of the builder: its subjects still agree
    document["payload"] = base64.b64encode(body).decode()
    (folder / PROVENANCE).write_text(json.dumps(document))
    assert state(folder, None) == "not checked"
    with pytest.raises(ArtefactError, match="belongs to its statement and this key"):
        state(folder, keys / "key.pub.pem")


def test_another_key(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "other.pem", provenance=True)
    stale = (folder / PROVENANCE).read_bytes()
    sign_bundle(folder, keys / "key.pem")
    assert state(folder, keys / "key.pub.pem") == "verified"  # it was made again with that key
    (folder / PROVENANCE).write_bytes(stale)
    with pytest.raises(ArtefactError, match="belongs to its statement and this key"):
        state(folder, keys / "key.pub.pem")


@pytest.mark.parametrize("checked", [True, False])
def test_the_statement_of_another_bundle(folder: Path, keys: Path, checked: bool) -> None:
    other = folder.parent / "other"
    write_bundle(other, make_manifest(description="another"), {"model.onnx": b"weights"})
    for path in (folder, other):
        sign_bundle(path, keys / "key.pem", provenance=True)
    (folder / PROVENANCE).write_bytes((other / PROVENANCE).read_bytes())
    with pytest.raises(ArtefactError, match="of another bundle: it does not agree on"):
        state(folder, keys / "key.pub.pem" if checked else None)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "not an envelope"),
        (b'{"payload": "e30=", "payloadType": "text/plain", "signatures": []}', "not in-toto's"),
        (
            b'{"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
            "no statement of in-toto",
        ),
        (b"x" * (2 << 20), "larger than"),
    ],
)
def test_no_provenance(folder: Path, raw: bytes, words: str) -> None:
    (folder / PROVENANCE).write_bytes(raw)
    with pytest.raises(ArtefactError, match=words) as caught:
        state(folder, None)
    assert caught.value.hint


def test_a_version_that_is_not_known(folder: Path, keys: Path) -> None:
    sign_bundle(folder, keys / "key.pem", provenance=True)
    document = json.loads((folder / PROVENANCE).read_bytes())
    later = stated(folder) | {"predicateType": "https://slsa.dev/provenance/v2"}
    document["payload"] = base64.b64encode(json.dumps(later).encode()).decode()
    (folder / PROVENANCE).write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match="a version that is not known"):
        state(folder, None)


@pytest.mark.parametrize("builder", ["", "me", "urn:with space", "1:2"])
def test_a_builder_is_a_uri(builder: str) -> None:
    with pytest.raises(InputError, match="is not a URI"):
        statement_of(make_manifest(), b"{}", builder)


def test_it_is_the_same_every_time(folder: Path, zipped: Path, keys: Path) -> None:
    for path in (folder, zipped):
        sign_bundle(path, keys / "key.pem", provenance=True)
    once = zipped.read_bytes()
    sign_bundle(zipped, keys / "key.pem")
    assert zipped.read_bytes() == once
    zip_bundle(folder, folder.parent / "again.edgekd")
    assert (folder.parent / "again.edgekd").read_bytes() == once


def test_a_manifest_may_not_list_it(folder: Path) -> None:
    write_bundle(folder, make_manifest(), {"model.onnx": b"weights", PROVENANCE: b"{}"})
    with pytest.raises(ArtefactError, match=r"lists provenance\.json"):
        Bundle.open(folder)
