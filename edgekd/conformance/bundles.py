"""Bundles that open and bundles that are refused: manifests, zips, hashes, signatures."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from edgekd.bundle import MANIFEST, SIGNATURE, Bundle
from edgekd.bundle.signature import sign_manifest
from edgekd.conformance.archives import archive, packed, with_end
from edgekd.conformance.files import Folder
from edgekd.conformance.format import BundleCase, refusal_of
from edgekd.conformance.manifests import (
    FILES,
    MODEL,
    BundleBytes,
    bundle_of,
    changed,
    manifest_bundles,
    manifest_of,
)
from edgekd.conformance.predictions import MODELS, runnable, usable_backends
from edgekd.errors import EdgekdError
from edgekd.runtime import Classifier

__all__ = ["bundle_cases"]


def bundle_cases(folder: Folder) -> Iterator[BundleCase]:
    """Every bundle, as this runtime opens it."""
    keys = _keys(folder)
    for name, variant in _all(keys).items():
        yield _case(folder, name, variant)


def _case(folder: Folder, name: str, variant: BundleBytes) -> BundleCase:
    place = folder.add(f"bundles/{name}.edgekd", variant.content)
    key = f"keys/{variant.key}" if variant.key else None
    content = (folder.root / key).read_bytes() if key else None
    common: dict[str, Any] = {"id": name, "bundle": place, "runs": variant.runs, "public_key": key}
    try:
        if variant.runs:
            Classifier.open(variant.content, public_key=content).close()
        with Bundle.open(variant.content, public_key=content) as bundle:
            capture = bundle.manifest.capture
            return BundleCase(
                **common,
                sha256=bundle.sha256,
                signature=bundle.signature,
                classes=bundle.manifest.model.classes,
                coverage=capture.coverage if capture else None,
                warnings=bundle.manifest.warnings,
            )
    except EdgekdError as error:
        return BundleCase(**common, refused=refusal_of(error, start=variant.start))


def _keys(folder: Folder) -> Mapping[str, Any]:
    """Keys from fixed bytes, so that the vectors are the same every time."""
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    keys = {name: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)
            for n, name in enumerate(("signer", "stranger"), start=1)}  # fmt: skip
    spki = pem.PublicFormat.SubjectPublicKeyInfo
    for name, key in keys.items():
        folder.add(f"keys/{name}.pem", key.public_key().public_bytes(pem.Encoding.PEM, spki))
    raw = keys["signer"].public_key().public_bytes(pem.Encoding.Raw, pem.PublicFormat.Raw)
    folder.add("keys/signer.raw", raw)
    other = derive_private_key(7, SECP256R1()).public_key()
    folder.add("keys/elliptic.pem", other.public_bytes(pem.Encoding.PEM, spki))
    folder.add("keys/text.pem", b"not a key\n")
    return keys


def _all(keys: Mapping[str, Any]) -> dict[str, BundleBytes]:
    closed = {**manifest_bundles(), **_zips(), **_listed_files(), **_signed(keys)}
    return closed | _not_runnable() | _signed_and_run(keys) | _other_heads()


def _zips() -> dict[str, BundleBytes]:
    """Zips that escape, swell or lie."""
    raw = json.dumps(manifest_of()).encode()
    good = archive({MANIFEST: raw, **FILES})
    no_zip = "<bytes> is not a bundle: "
    made = {
        "good": BundleBytes(good),
        "no-manifest": BundleBytes(archive(FILES)),
        "not-a-zip": BundleBytes(b"no zip at all, but long enough to hold the last record", no_zip),
        "empty": BundleBytes(b"", no_zip),
        "cut-in-the-middle": BundleBytes(good[: len(good) // 2], no_zip),
        "comment": BundleBytes(_commented(good), no_zip),
        "trailing-bytes": BundleBytes(good + b"\0" * 30, no_zip),
        "compressed": BundleBytes(
            archive({MANIFEST: raw, **FILES}, compression=zipfile.ZIP_DEFLATED)
        ),
        "65-members": BundleBytes(archive({MANIFEST: raw, **{f"f{n}": b"" for n in range(64)}})),
        "directory-overlong": BundleBytes(with_end(good, directory_bytes=65 << 10)),
        "directory-outside": BundleBytes(with_end(good, offset=1 << 30), no_zip),
        "twice": BundleBytes(_twice(raw)),
        "overlap": BundleBytes(_overlapping(good)),
        "size-lies": BundleBytes(_replaced_in_directory(good, 24, struct.pack("<I", 1 << 29))),
        "directory-cut-off": BundleBytes(
            _replaced_in_directory(good, 32, struct.pack("<H", 1)), no_zip
        ),
        "another-name": BundleBytes(good.replace(MANIFEST.encode(), b"MANIFEST.json", 1), no_zip),
        "checksum": BundleBytes(_flipped(good, MANIFEST.encode(), 40), no_zip),
    }
    for name, member in (
        ("parent", "../escape"),
        ("absolute", "/etc/passwd"),
        ("backslash", "..\\escape"),
        ("drive", "C:escape"),
        ("folder", "folder/"),
        ("dot", "./model"),
        ("long-name", "n" * 256),
        ("control-letter", "a\x07b"),
    ):
        made[f"member-{name}"] = BundleBytes(archive({MANIFEST: raw, **FILES, member: b"x"}))
    return made


def _commented(content: bytes) -> bytes:
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as file:
        file.comment = b"a comment"
    return stream.getvalue()


def _twice(raw: bytes) -> bytes:
    """Two members of one name, made by renaming one of the same length."""
    content = archive({MANIFEST: raw, "model.onnx": b"1", "model.onny": b"2"})
    return content.replace(b"model.onny", b"model.onnx")


def _overlapping(content: bytes) -> bytes:
    """Sizes that add up to more than the file has."""
    wrong = struct.pack("<II", len(content), len(content))
    return _replaced_in_directory(content, 20, wrong)


def _replaced_in_directory(content: bytes, place: int, value: bytes) -> bytes:
    """Bytes of the last member's entry in the directory replaced."""
    start = content.rindex(b"PK\1\2") + place
    return content[:start] + value + content[start + len(value) :]


def _flipped(content: bytes, after: bytes, distance: int) -> bytes:
    place = content.index(after) + distance
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _listed_files() -> dict[str, BundleBytes]:
    """Bundles with other files than the manifest lists, or with names that lead out of them."""
    manifest = manifest_of()

    def listed(name: str) -> BundleBytes:
        return bundle_of(manifest_of(files=manifest["files"] | {name: {"sha256": "0", "size": 1}}))

    return {
        "model-changed-by-a-byte": BundleBytes(
            packed(manifest, {MODEL: b"a model that nobody openS"})
        ),
        "model-longer": BundleBytes(packed(manifest, {MODEL: FILES[MODEL] + b"x"})),
        "model-missing": BundleBytes(packed(manifest, {})),
        "listed-parent": listed("../escape"),
        "listed-manifest": listed(MANIFEST),
        "listed-signature": listed(SIGNATURE),
        "listed-65": bundle_of(
            manifest_of(
                files=manifest["files"] | {f"f{n}": {"sha256": "0", "size": 0} for n in range(64)}
            )
        ),
        "file-beside-the-listed": BundleBytes(packed(manifest, {**FILES, "note.txt": b"hello"})),
    }


def _signed(keys: Mapping[str, Any]) -> dict[str, BundleBytes]:
    """Signatures right and wrong."""
    raw = json.dumps(manifest_of(), indent=2).encode()
    signature = sign_manifest(raw, keys["signer"])
    changed = raw.replace(b'"fp32"', b'"fp16"')

    def signed(manifest: bytes, text: bytes, key: str) -> BundleBytes:
        return BundleBytes(archive({MANIFEST: manifest, SIGNATURE: text, **FILES}), key=key)

    return {
        "signed": signed(raw, signature, "signer.pem"),
        "signed-raw-key": signed(raw, signature, "signer.raw"),
        "signed-not-checked": signed(raw, signature, ""),
        "signed-by-another": signed(raw, signature, "stranger.pem"),
        "signed-and-changed-by-a-byte": signed(changed, signature, "signer.pem"),
        "signature-cut": signed(raw, signature[:40], "signer.pem"),
        "signature-no-base64": signed(raw, b"!" * 88, "signer.pem"),
        "signature-of-zeros": signed(raw, b"A" * 86 + b"==", "signer.pem"),
        "not-signed": BundleBytes(archive({MANIFEST: raw, **FILES}), key="signer.pem"),
        "key-of-another-kind": signed(raw, signature, "elliptic.pem"),
        "key-of-text": signed(raw, signature, "text.pem"),
    }


def _signed_and_run(keys: Mapping[str, Any]) -> dict[str, BundleBytes]:
    """Bundles that run, signed; and the same with a byte of one file changed."""
    made = {}
    for backend in usable_backends():
        model = MODELS / "int8" / backend.model_file
        if not model.is_file():
            continue
        manifest, files = runnable(backend, model)
        raw = json.dumps(manifest, indent=2).encode()
        members = {MANIFEST: raw, SIGNATURE: sign_manifest(raw, keys["signer"]), **files}
        name = f"signed-{backend.name}"
        made[name] = BundleBytes(archive(members), key="signer.pem", runs=True)
        for member, content in members.items():
            middle = len(content) // 2
            other = bytes([content[middle] ^ 1])
            spoilt = members | {member: content[:middle] + other + content[middle + 1 :]}
            made[f"{name}-{member}-changed-by-a-byte"] = BundleBytes(
                archive(spoilt), key="signer.pem", runs=True
            )
    return made


def _other_heads() -> dict[str, BundleBytes]:
    """A bundle that runs but for its head, which takes another number of features."""
    head = {"weights": [[1.0, 2.0]] * 3, "bias": [0.0] * 3}
    backend = next((each for each in usable_backends() if each.model_file == MODEL), None)
    if backend is None:
        return {}
    manifest, files = runnable(backend, MODELS / "fp32" / MODEL)
    content = packed(manifest | {"head": head}, files)
    return {"head-of-other-features": BundleBytes(content, runs=True)}


def _not_runnable() -> dict[str, BundleBytes]:
    """Bundles that open, and that this runtime would run wrongly or cannot run."""
    appearance = {"mean": [0.0, 0.0], "whitening": [[1.0, 0.0], [0.0, 1.0]], "limit": 1.0}
    finish = {"completion": "finish-on-device", "completion_command": "edgekd build there"}
    made = {
        "other-preprocessing": changed("model", resize="centre-square-area-v1"),
        "other-features": manifest_of(capture={"appearance": appearance}),
        "other-engine": changed("lowering", backend="abacus"),
        "to-be-finished": changed("lowering", **finish),
    }
    return {name: bundle_of(manifest, runs=True) for name, manifest in made.items()} | {
        "model-that-no-engine-reads": bundle_of(
            manifest_of(), "ONNX Runtime cannot read model.onnx", runs=True
        )
    }
