"""Manifests that are read and manifests that are refused: versions, types, contradictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.conformance.archives import document, packed
from edgekd.extensions.tasks import DEFAULT_TASK

__all__ = [
    "FILES",
    "MODEL",
    "BundleBytes",
    "bundle_of",
    "changed",
    "manifest_bundles",
    "manifest_of",
]

MODEL = "model.onnx"
FILES = {MODEL: b"a model that nobody opens"}
_INVALID = "<bytes>: the bundle's manifest is not valid: "
_INVALID_DECISION = "<bytes>: the bundle's manifest's section `decision` is not valid: "


class BundleBytes(NamedTuple):
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


def manifest_bundles() -> dict[str, BundleBytes]:
    """Bundles around every manifest, by name."""
    return {**_versions_and_types(), **_contradictions()}


def manifest_of(**changes: Any) -> dict[str, Any]:
    """The smallest manifest of `FILES`; `changes` replace its fields."""
    lowering = {"target": "cpu", "backend": Path(MODEL).suffix[1:], "precision": "fp32"}
    return document(FILES, task=DEFAULT_TASK, lowering=lowering) | changes


def bundle_of(manifest: Mapping[str, Any] | bytes, start: str = "", **options: Any) -> BundleBytes:
    """A bundle of `FILES` around a manifest."""
    return BundleBytes(packed(manifest, FILES), start, **options)


def _versions_and_types() -> dict[str, BundleBytes]:
    """Manifests of every version, good and bad."""
    capture = {"kept": 0.9, "images": 12}
    lowering = manifest_of()["lowering"]
    before = lowering | {"rescued": True, "layer_harm": []}
    made = {
        f"version-{version}": bundle_of(manifest_of(format_version=version))
        for version in ("1.0", "1.4", "1.5", "1.6", "1.7", "1.8", FORMAT_VERSION, "1.99", "1")
    }
    made |= {
        "version-1.5-names": bundle_of(
            manifest_of(format_version="1.5", capture=capture, lowering=before)
        ),
        "both-names": bundle_of(manifest_of(capture=capture | {"coverage": 0.8})),
        "unknown-fields": bundle_of(
            manifest_of(a_newer_field={"deep": [1]}, decision={"newer": 1})
        ),
        "version-2": bundle_of(manifest_of(format_version="2.0")),
        "version-of-500-digits": bundle_of(manifest_of(format_version="9" * 500)),
        "version-a-number": bundle_of(manifest_of(format_version=1.7), _INVALID),
        "no-version": bundle_of({k: v for k, v in manifest_of().items() if k != "format_version"}),
        "version-in-words": bundle_of(manifest_of(format_version="one")),
        "not-json": bundle_of(b"{"),
        "json-list": bundle_of(b"[1]"),
        "json-with-nan": bundle_of(json.dumps(manifest_of(metrics={"a": float("nan")})).encode()),
        "control-letter": bundle_of(
            json.dumps(manifest_of(version="0#1")).replace("#", "\1").encode()
        ),
        "beyond-binary64": bundle_of(manifest_of(metrics={"a": 10**400})),
        "byte-order-mark": bundle_of(b"\xef\xbb\xbf" + json.dumps(manifest_of()).encode()),
        "empty-manifest": bundle_of(b""),
        "deep": bundle_of(b"[" * 100_000),
        "task-unknown": bundle_of(manifest_of(task="astrology")),
        "task-long": bundle_of(manifest_of(task="t" * 5000)),
        "no-model": bundle_of({k: v for k, v in manifest_of().items() if k != "model"}, _INVALID),
        "size-a-fraction": bundle_of(changed("model", image_size=32.0), _INVALID),
        "size-a-word": bundle_of(changed("model", image_size="32"), _INVALID),
        "size-true": bundle_of(changed("model", image_size=True), _INVALID),
        "classes-a-word": bundle_of(changed("model", classes="bkl"), _INVALID),
        "class-a-number": bundle_of(changed("model", classes=["bkl", 2]), _INVALID),
        "rungs-wrong": bundle_of(changed("lowering", rungs=[{"precision": 8}]), _INVALID),
        "check-of-a-new-status": bundle_of(
            changed("lowering", check={"status": "maybe", "by": "x"}), _INVALID
        ),
        "temperature-a-word": bundle_of(
            manifest_of(decision={"temperature": "hot"}), _INVALID_DECISION
        ),
        "thresholds-a-list": bundle_of(
            manifest_of(decision={"thresholds": [0.5]}), _INVALID_DECISION
        ),
        "floors-not-met": bundle_of(manifest_of(policy=_policy())),
        "floor-of-an-unknown-kind": bundle_of(
            manifest_of(policy=_policy() | {"floors": [{"code": "noticed", "by": "luck"}]}),
            _INVALID,
        ),
        "decision-a-list": bundle_of(manifest_of(decision=[]), _INVALID_DECISION),
    }
    return made | _data_and_certificates()


def _data_and_certificates() -> dict[str, BundleBytes]:
    """What the data were, and whether a file without labelled images is one that was judged."""
    part: dict[str, Any] = {
        "images": 9,
        "groups": 7,
        "classes": {"mel": 2},
        "attributes": {"sex": {"female": 5}},
    }
    data: dict[str, Any] = {"name": "painted", "parts": {"train": part, "test": part}, "unused": 1}
    certified: dict[str, Any] = {"student": "lesion-s", "certified": True}
    changed_file = {"reason": "model.onnx has another hash", "remedy": "edgekd certify BUNDLE"}
    uncertified = certified | {"certified": False} | changed_file
    return {
        "data": bundle_of(manifest_of(data=data)),
        "data-of-no-name": bundle_of(manifest_of(data={"parts": {}}), _INVALID),
        "data-of-half-an-image": bundle_of(
            manifest_of(data=data | {"parts": {"train": part | {"images": 0.5}}}), _INVALID
        ),
        "certified": bundle_of(manifest_of(certificate=certified)),
        "not-certified": bundle_of(manifest_of(certificate=uncertified)),
        "not-certified-and-below-floors": bundle_of(
            manifest_of(certificate=uncertified, policy=_policy())
        ),
        "enrolled": bundle_of(manifest_of(certificate=uncertified, head=_head(3, 4))),
        "enrolled-and-certified": bundle_of(manifest_of(certificate=certified, head=_head(3, 4))),
        "head-without-bias": bundle_of(
            manifest_of(head={"weights": _head(3, 4)["weights"]}), _INVALID
        ),
        "certificate-in-words": bundle_of(
            manifest_of(certificate=certified | {"certified": "yes"}), _INVALID
        ),
    }


def _head(classes: int, size: int) -> dict[str, Any]:
    """A head of so many classes and features."""
    weights = [[row - 0.5 * column for column in range(size)] for row in range(classes)]
    return {"weights": weights, "bias": [0.5] * classes, "images": 9, "date": "2026-11-30"}


def _policy() -> dict[str, Any]:
    """Floors met and not met, each of another form, and a margin that was not shown."""
    reached = {"value": 0.9514, "low": 0.8996, "high": 1.0}
    floors: list[dict[str, Any]] = [
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


def changed(section: str, **changes: Any) -> dict[str, Any]:
    """The manifest with fields of one of its sections replaced."""
    manifest = manifest_of()
    return manifest | {section: manifest[section] | changes}


def _contradictions() -> dict[str, BundleBytes]:
    """Manifests that contradict themselves."""
    whitening = [[1.0, 0.0], [0.0, 1.0]]
    appearance = {"mean": [0.0, 0.0], "whitening": whitening, "limit": 1.0}
    made = {
        "classes-twice": changed("model", classes=["bkl", "bkl", "nv"]),
        "class-empty": changed("model", classes=["", "mel"]),
        "class-not-printable": changed("model", classes=["b\nkl", "mel"]),
        "class-long": changed("model", classes=["b" * 201, "mel"]),
        "one-class": changed("model", classes=["mel"]),
        "size-4": changed("model", image_size=4),
        "size-5000": changed("model", image_size=5000),
        "colour-bgr": changed("model", colour="BGR"),
        "several": changed("model", image_size=4, colour="BGR"),
        "temperature-0": manifest_of(decision={"temperature": 0}),
        "temperature-huge": manifest_of(decision={"temperature": 1e4}),
        "threshold-of-a-stranger": manifest_of(decision={"thresholds": {"scc": 0.5}}),
        "threshold-above-1": manifest_of(decision={"thresholds": {"mel": 1.5}}),
        "refer-below-2": manifest_of(decision={"refer_below": 2}),
        "quantile-negative": manifest_of(decision={"conformal_quantile": -0.1}),
        "model-file-not-listed": manifest_of(model_file="other.onnx"),
        "head-of-other-classes": manifest_of(head=_head(2, 4)),
        "head-of-uneven-rows": manifest_of(
            head=_head(3, 4) | {"weights": [[1.0], [1.0, 2.0], [1.0]]}
        ),
        "head-of-no-features": manifest_of(head=_head(3, 0)),
        "whitening-not-square": manifest_of(
            capture={"appearance": appearance | {"whitening": [[1.0], [0.0]]}}
        ),
    }
    return {name: bundle_of(manifest) for name, manifest in made.items()}
