"""Python's own runtime against its vectors, and against vectors with a fault in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgekd.conformance import VECTORS, Vectors, failures
from edgekd.conformance.check import read_vectors
from edgekd.conformance.format import Refusal
from edgekd.errors import ArtefactError
from edgekd.files import pretty_json


def test_the_runtime_passes_its_vectors(vectors_folder: Path) -> None:
    assert failures(vectors_folder) == []


@pytest.fixture
def copied(vectors_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """The vectors with one case of a group alone, and fields of it replaced."""

    def copy(group: str, case: str, **changes: Any) -> Path:
        vectors = read_vectors(vectors_folder)
        chosen = next(each for each in getattr(vectors, group) if each.id == case)
        empty = dict.fromkeys(
            ("photos", "planes", "captures", "decisions", "bundles", "predictions"), ()
        )
        alone = {**empty, group: (msgspec.structs.replace(chosen, **changes),)}
        folder = tmp_path / "vectors"
        folder.mkdir()
        for part in vectors_folder.iterdir():
            if part.is_dir():
                (folder / part.name).symlink_to(part)
        (folder / VECTORS).write_bytes(pretty_json(msgspec.structs.replace(vectors, **alone)))
        return folder

    return copy


OTHER = Refusal(error="image", exit_code=2, message="the image is a painting", hint="photograph it")
FAULTS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("photos", "rgb.png-at-32", {"square": "squares/grey.png-at-32"}, "a channel differs by"),
    ("photos", "rgb.png-at-32", {"square": None, "refused": OTHER}, "it is read, not refused"),
    ("photos", "empty-at-32", {"refused": OTHER}, "the error is"),
    ("photos", "empty-at-32", {"refused": None}, "it is refused"),
    ("planes", "portrait-at-64", {"turn": 180}, "the square is another one"),
    ("planes", "portrait-at-64", {"square": None, "refused": OTHER}, "it is read, not refused"),
    ("planes", "odd-sides-at-64", {"refused": OTHER}, "the error is"),
    ("captures", "dark", {"reasons": ()}, "the reasons are"),
    ("captures", "dark", {"distance": None}, "the distance is"),
    ("captures", "dark", {"features": (0.0,) * 16}, "a feature"),
    ("decisions", "classification-unsure", {"verdict": "answer"}, "verdict is"),
    ("decisions", "classification-plain", {"probabilities": {"bkl": 0.5}}, "the probability of"),
    ("decisions", "multilabel-unsure", {"findings": {}}, "findings is"),
    ("bundles", "good", {"sha256": "0" * 64}, "it is opened as"),
    ("bundles", "floors-not-met", {"warnings": ()}, "it is opened as"),
    ("bundles", "good", {"refused": OTHER}, "it is opened, not refused"),
    ("bundles", "not-signed", {"public_key": None}, "it is opened, not refused"),
    ("predictions", "fp32-onnx-photo-0.jpg", {"logits": (0.0, 0.0, 0.0)}, "an output differs by"),
    ("predictions", "fp32-onnx-photo-0.jpg", {"label": "scc"}, "the answer is"),
)


@pytest.mark.parametrize(("group", "case", "changes", "difference"), FAULTS)
def test_a_fault_is_noticed(
    copied: Callable[..., Path], group: str, case: str, changes: dict[str, Any], difference: str
) -> None:
    if group == "predictions":
        pytest.importorskip("onnxruntime", reason="needs pip install 'edgekd[onnx]'")
    found = failures(copied(group, case, **changes))
    assert any(f"{case}: {difference}" in line for line in found), found


def test_vectors_of_another_major_version_are_refused(vectors: Vectors, tmp_path: Path) -> None:
    newer = msgspec.structs.replace(vectors, vectors_version="2.0")
    (tmp_path / VECTORS).write_bytes(pretty_json(newer))
    with pytest.raises(ArtefactError, match=r"version 2\.0"):
        read_vectors(tmp_path)
    with pytest.raises(ArtefactError, match="no vectors"):
        read_vectors(tmp_path / "nowhere")
