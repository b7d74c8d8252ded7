"""Bundles among the vectors."""

from __future__ import annotations

import pytest

from edgekd.conformance import Vectors


def test_every_kind_is_among_them(vectors: Vectors) -> None:
    by_id = {case.id: case for case in vectors.bundles}
    opened = {name for name, case in by_id.items() if case.refused is None}
    assert {"version-1.0", "version-1.5-names", "version-1.99", "unknown-fields", "good", "signed",
            "signed-raw-key", "signed-not-checked", "file-beside-the-listed"} <= opened  # fmt: skip
    assert by_id["version-1.5-names"].coverage == 0.9
    assert by_id["both-names"].coverage == 0.8
    assert by_id["signed"].signature == "verified"
    assert len(by_id["floors-not-met"].warnings) == 5
    assert by_id["certified"].warnings == ()
    assert len(by_id["not-certified"].warnings) == 1
    both = by_id["not-certified-and-below-floors"].warnings
    assert both == by_id["not-certified"].warnings + by_id["floors-not-met"].warnings
    refusals = {name: case.refused for name, case in by_id.items() if case.refused is not None}
    for name, words in {
        "version-2": "format version", "member-parent": "leads out of the bundle",
        "compressed": "compressed or too large", "twice": "the same name", "overlap": "overlap",
        "65-members": "more than 64 files", "model-changed-by-a-byte": "the hash",
        "signed-by-another": "does not belong", "not-signed": "not signed",
        "signature-cut": "64 bytes in base64", "key-of-another-kind": "not an Ed25519 key",
        "other-preprocessing": "wants the preprocessing", "to-be-finished": "must be finished",
        "several": "image_size must lie between 8 and 4096; colour must be RGB",
    }.items():  # fmt: skip
        assert words in refusals[name].message, name  # type: ignore[union-attr]


def test_only_wordings_of_parsers_are_inexact(vectors: Vectors) -> None:
    inexact = {case.id for case in vectors.bundles if case.refused and not case.refused.exact}
    exact = {case.id for case in vectors.bundles if case.refused and case.refused.exact}
    assert inexact
    assert len(exact) > len(inexact)


def test_of_a_signed_bundle_no_byte_may_change(vectors: Vectors) -> None:
    for engine, backend in (("onnxruntime", "onnx"), ("ai_edge_litert", "tflite")):
        pytest.importorskip(engine, reason=f"needs pip install 'edgekd[{backend}]'")
        by_id = {case.id: case for case in vectors.bundles}
        assert by_id[f"signed-{backend}"].signature == "verified"
        changed = [case for name, case in by_id.items() if name.startswith(f"signed-{backend}-")]
        assert len(changed) == 4  # manifest, signature, model, vectors
        assert all(case.refused and case.refused.exact for case in changed)
