"""Bundles that open and bundles that are refused: manifests, zips, hashes, signatures."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgekd.bundle import MANIFEST, SIGNATURE, Bundle
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.bundle.signature import sign_manifest
from edgekd.conformance.archives import archive, document, packed, with_end
from edgekd.conformance.files import Folder
from edgekd.conformance.format import BundleCase, refusal_of
from edgekd.errors import EdgekdError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.runtime import Classifier

__all__ = ["bundle_cases"]

MODEL = "model.onnx"
FILES = {MODEL: b"a model that nobody opens"}
_INVALID = "<bytes>: the bundle's manifest is not valid: "
_INVALID_DECISION = "<bytes>: the bundle's manifest's section `decision` is not valid: "


class _Made(NamedTuple):
    """A bundle as bytes.

    Attributes:
        content: The bytes.
        start: Beginning of the message where the rest is a parser's wording.
        key: Name of the key that it must be signed with.
        runs: Whether it is opened by `Classifier.open`.
    """

    content: bytes
    start: str = ""
    key: str = ""
    runs: bool = False


def bundle_cases(folder: Folder) -> Iterator[BundleCase]:
    """Every bundle, as this runtime opens it."""
    keys = _keys(folder)
    for name, made in _all(keys).items():
        yield _case(folder, name, made)


def _case(folder: Folder, name: str, made: _Made) -> BundleCase:
    place = folder.add(f"bundles/{name}.edgekd", made.content)
    key = f"keys/{made.key}" if made.key else None
    content = (folder.root / key).read_bytes() if key else None
    common: dict[str, Any] = {"id": name, "bundle": place, "runs": made.runs, "public_key": key}
    try:
        if made.runs:
            Classifier.open(made.content, public_key=content).close()
        with Bundle.open(made.content, public_key=content) as bundle:
            capture, policy = bundle.manifest.capture, bundle.manifest.policy
            return BundleCase(
                **common,
                sha256=bundle.sha256,
                signature=bundle.signature,
                classes=bundle.manifest.model.classes,
                coverage=capture.coverage if capture else None,
                warnings=policy.warnings if policy else (),
            )
    except EdgekdError as error:
        return BundleCase(**common, refused=refusal_of(error, start=made.start))


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


def _all(keys: Mapping[str, Any]) -> dict[str, _Made]:
    return {**_manifests(), **_contradictions(), **_zips(), **_hashes(), **_signed(keys)} | (
        _not_runnable()
    )


def _manifest(**changes: Any) -> dict[str, Any]:
    lowering = {"target": "cpu", "backend": Path(MODEL).suffix[1:], "precision": "fp32"}
    return document(FILES, task=DEFAULT_TASK, lowering=lowering) | changes


def _of(manifest: Mapping[str, Any] | bytes, start: str = "", **options: Any) -> _Made:
    return _Made(packed(manifest, FILES), start, **options)


def _manifests() -> dict[str, _Made]:
    """Manifests of every version, good and bad."""
    capture = {"kept": 0.9, "images": 12}
    lowering = _manifest()["lowering"]
    before = lowering | {"rescued": True, "layer_harm": []}
    made = {
        f"version-{version}": _of(_manifest(format_version=version))
        for version in ("1.0", "1.4", "1.5", "1.6", FORMAT_VERSION, "1.99", "1")
    }
    made |= {
        "version-1.5-names": _of(_manifest(format_version="1.5", capture=capture, lowering=before)),
        "both-names": _of(_manifest(capture=capture | {"coverage": 0.8})),
        "unknown-fields": _of(_manifest(a_newer_field={"deep": [1]}, decision={"newer": 1})),
        "version-2": _of(_manifest(format_version="2.0")),
        "version-of-500-digits": _of(_manifest(format_version="9" * 500)),
        "version-a-number": _of(_manifest(format_version=1.7), _INVALID),
        "no-version": _of({k: v for k, v in _manifest().items() if k != "format_version"}),
        "version-in-words": _of(_manifest(format_version="one")),
        "not-json": _of(b"{"),
        "json-list": _of(b"[1]"),
        "json-with-nan": _of(json.dumps(_manifest(metrics={"a": float("nan")})).encode()),
        "byte-order-mark": _of(b"\xef\xbb\xbf" + json.dumps(_manifest()).encode()),
        "empty-manifest": _of(b""),
        "deep": _of(b"[" * 100_000),
        "task-unknown": _of(_manifest(task="astrology")),
        "task-long": _of(_manifest(task="t" * 5000)),
        "no-model": _of({k: v for k, v in _manifest().items() if k != "model"}, _INVALID),
        "size-a-fraction": _of(_with("model", image_size=32.0), _INVALID),
        "size-a-word": _of(_with("model", image_size="32"), _INVALID),
        "size-true": _of(_with("model", image_size=True), _INVALID),
        "classes-a-word": _of(_with("model", classes="bkl"), _INVALID),
        "class-a-number": _of(_with("model", classes=["bkl", 2]), _INVALID),
        "rungs-wrong": _of(_with("lowering", rungs=[{"precision": 8}]), _INVALID),
        "check-of-a-new-status": _of(
            _with("lowering", check={"status": "maybe", "by": "x"}), _INVALID
        ),
        "temperature-a-word": _of(_manifest(decision={"temperature": "hot"}), _INVALID_DECISION),
        "thresholds-a-list": _of(_manifest(decision={"thresholds": [0.5]}), _INVALID_DECISION),
        "floors-not-met": _of(_manifest(policy=_policy())),
        "floor-of-an-unknown-kind": _of(
            _manifest(policy=_policy() | {"floors": [{"code": "noticed", "by": "luck"}]}), _INVALID
        ),
        "decision-a-list": _of(_manifest(decision=[]), _INVALID_DECISION),
    }
    return made


def _policy() -> dict[str, Any]:
    """Floors met and not met, each of another form, and a margin that was not shown."""
    reached = {"value": 0.9514, "low": 0.8996, "high": 1.0}
    floors = [
        {"code": "noticed", "quantity": "a", **reached, "least": 0.9, "by": "low", "met": False},
        {"code": "answered", "quantity": "b", "value": 0.5, "least": 0.6, "by": "value"},
        {"code": "specificity", "quantity": "c", "value": None, "least": 0.25, "by": "value"},
        {"code": "beyond-chance", "quantity": "d", "value": 0.3, "least": 1 / 3, "by": "value"},
        {"code": "noticed", "quantity": "e", **reached, "least": 0.8, "by": "low", "met": True},
    ]
    margin = {"metric": "balanced_accuracy", "margin": 0.05, "deficit": 0.04, "required": True}
    return {
        "name": "strict",
        "sha256": "0" * 64,
        "floors": [{"met": False, **floor} for floor in floors],
        "teacher": {"state": "not-shown", **margin, "low": -0.01, "high": 0.09},
    }


def _with(section: str, **changes: Any) -> dict[str, Any]:
    manifest = _manifest()
    return manifest | {section: manifest[section] | changes}


def _contradictions() -> dict[str, _Made]:
    """Manifests that contradict themselves."""
    names = ["bkl", "mel", "nv"]
    whitening = [[1.0, 0.0], [0.0, 1.0]]
    appearance = {"mean": [0.0, 0.0], "whitening": whitening, "limit": 1.0}
    made = {
        "classes-twice": _with("model", classes=["bkl", "bkl", "nv"]),
        "class-empty": _with("model", classes=["", "mel"]),
        "class-not-printable": _with("model", classes=["b\nkl", "mel"]),
        "class-long": _with("model", classes=["b" * 201, "mel"]),
        "one-class": _with("model", classes=["mel"]),
        "size-4": _with("model", image_size=4),
        "size-5000": _with("model", image_size=5000),
        "colour-bgr": _with("model", colour="BGR"),
        "several": _with("model", image_size=4, colour="BGR"),
        "temperature-0": _manifest(decision={"temperature": 0}),
        "temperature-huge": _manifest(decision={"temperature": 1e4}),
        "threshold-of-a-stranger": _manifest(decision={"thresholds": {"scc": 0.5}}),
        "threshold-above-1": _manifest(decision={"thresholds": {"mel": 1.5}}),
        "refer-below-2": _manifest(decision={"refer_below": 2}),
        "quantile-negative": _manifest(decision={"conformal_quantile": -0.1}),
        "model-file-not-listed": _manifest(model_file="other.onnx"),
        "whitening-not-square": _manifest(
            capture={"appearance": appearance | {"whitening": [[1.0], [0.0]]}}
        ),
    }
    assert len(names) == 3
    return {name: _of(manifest) for name, manifest in made.items()}


def _zips() -> dict[str, _Made]:
    """Zips that escape, swell or lie."""
    raw = json.dumps(_manifest()).encode()
    good = archive({MANIFEST: raw, **FILES})
    no_zip = "<bytes> is not a bundle: "
    made = {
        "good": _Made(good),
        "no-manifest": _Made(archive(FILES)),
        "not-a-zip": _Made(b"no zip at all, but long enough to hold the last record", no_zip),
        "empty": _Made(b"", no_zip),
        "cut-in-the-middle": _Made(good[: len(good) // 2], no_zip),
        "comment": _Made(_commented(good), no_zip),
        "trailing-bytes": _Made(good + b"\0" * 30, no_zip),
        "compressed": _Made(archive({MANIFEST: raw, **FILES}, compression=zipfile.ZIP_DEFLATED)),
        "65-members": _Made(archive({MANIFEST: raw, **{f"f{n}": b"" for n in range(64)}})),
        "directory-overlong": _Made(with_end(good, directory_bytes=65 << 10)),
        "directory-outside": _Made(with_end(good, offset=1 << 30), no_zip),
        "twice": _Made(_twice(raw)),
        "overlap": _Made(_overlapping(good)),
        "size-lies": _Made(_replaced_in_directory(good, 24, struct.pack("<I", 1 << 29))),
        "checksum": _Made(_flipped(good, MANIFEST.encode(), 40), no_zip),
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
        made[f"member-{name}"] = _Made(archive({MANIFEST: raw, **FILES, member: b"x"}))
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


def _hashes() -> dict[str, _Made]:
    """Files that are not those of the manifest, and names that lead out of the bundle."""
    listed: Callable[[str], _Made] = lambda name: _of(  # noqa: E731
        _manifest(files=_manifest()["files"] | {name: {"sha256": "0", "size": 1}})
    )
    manifest = _manifest()
    return {
        "model-changed-by-a-byte": _Made(packed(manifest, {MODEL: b"a model that nobody openS"})),
        "model-longer": _Made(packed(manifest, {MODEL: FILES[MODEL] + b"x"})),
        "model-missing": _Made(packed(manifest, {})),
        "listed-parent": listed("../escape"),
        "listed-manifest": listed(MANIFEST),
        "listed-signature": listed(SIGNATURE),
        "listed-65": _of(
            _manifest(
                files=manifest["files"] | {f"f{n}": {"sha256": "0", "size": 0} for n in range(64)}
            )
        ),
        "file-beside-the-listed": _Made(packed(manifest, {**FILES, "note.txt": b"hello"})),
    }


def _signed(keys: Mapping[str, Any]) -> dict[str, _Made]:
    """Signatures right and wrong."""
    raw = json.dumps(_manifest(), indent=2).encode()
    signature = sign_manifest(raw, keys["signer"])
    changed = raw.replace(b'"fp32"', b'"fp16"')

    def signed(manifest: bytes, text: bytes, key: str) -> _Made:
        return _Made(archive({MANIFEST: manifest, SIGNATURE: text, **FILES}), key=key)

    return {
        "signed": signed(raw, signature, "signer.pem"),
        "signed-raw-key": signed(raw, signature, "signer.raw"),
        "signed-not-checked": signed(raw, signature, ""),
        "signed-by-another": signed(raw, signature, "stranger.pem"),
        "signed-and-changed-by-a-byte": signed(changed, signature, "signer.pem"),
        "signature-cut": signed(raw, signature[:40], "signer.pem"),
        "signature-no-base64": signed(raw, b"!" * 88, "signer.pem"),
        "signature-of-zeros": signed(raw, b"A" * 86 + b"==", "signer.pem"),
        "not-signed": _Made(archive({MANIFEST: raw, **FILES}), key="signer.pem"),
        "key-of-another-kind": signed(raw, signature, "elliptic.pem"),
        "key-of-text": signed(raw, signature, "text.pem"),
    }


def _not_runnable() -> dict[str, _Made]:
    """Bundles that open, and that this runtime would run wrongly or cannot run."""
    appearance = {"mean": [0.0, 0.0], "whitening": [[1.0, 0.0], [0.0, 1.0]], "limit": 1.0}
    finish = {"completion": "finish-on-device", "completion_command": "edgekd build there"}
    made = {
        "other-preprocessing": _with("model", resize="centre-square-area-v1"),
        "other-features": _manifest(capture={"appearance": appearance}),
        "other-engine": _with("lowering", backend="abacus"),
        "to-be-finished": _with("lowering", **finish),
    }
    return {name: _of(manifest, runs=True) for name, manifest in made.items()} | {
        "model-that-no-engine-reads": _of(
            _manifest(), "ONNX Runtime cannot read model.onnx", runs=True
        )
    }
