"""The source of a build: the student's folder, its validation images, targets and outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from cards import make_card

from edgekd.bundle.seen_images import SeenImages
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import InputError
from edgekd.files import pretty_json
from edgekd.lower import source as module
from edgekd.lower.source import Source, find_student, load_source
from edgekd.models.card import CARD, ImportCard, OutputCard


class Split:
    """Six images, the last three of which validate; two are of one lesion."""

    def __init__(self) -> None:
        samples = [SimpleNamespace(group=name) for name in ("a", "b", "c", "d", "e", "d")]
        self.dataset = SimpleNamespace(
            samples=samples, targets=lambda: np.array([[0, 1]] * 3 + [[1, 0], [1, 1], [0, 0]])
        )

    def indices(self, part: str) -> list[int]:
        return {"train": [0, 1, 2], "validation": [3, 4, 5]}[part]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    pixels = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    card = SimpleNamespace(network_sha256="w" * 64)
    return Source(tmp_path, cast(Any, card), cast(Any, Split()), pixels, {})


def test_images_targets_and_groups_are_those_of_validation(source: Source) -> None:
    assert source.images[:, 0, 0, 0].tolist() == [3, 4, 5]
    assert source.targets.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert source.groups.tolist() == [0, 1, 0]


def test_images_of_training_and_validation_are_seen(source: Source, tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(6)]
    for path in paths:
        path.write_bytes(path.name.encode())
    source.split.dataset.paths = lambda chosen: [paths[n] for n in chosen]  # type: ignore[method-assign]
    source.card.data = SimpleNamespace(sha256="split")  # type: ignore[misc]
    listed = source.seen_images
    assert listed is not None
    assert [listed.part_of(image) for image in image_hashes(paths)] == (
        ["train"] * 3 + ["validation"] * 3
    )


def test_own_images_are_listed_beside_those_of_training(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the user's own images all are fitted on; without those of training there is no list."""
    paths = [tmp_path / f"{n}.png" for n in range(7)]
    for path in paths:
        path.write_bytes(path.name.encode())
    split: Any = source.split
    split.parts = ("train",) * 3 + ("validation",) * 2 + ("test",)
    split.dataset.paths = lambda chosen: [paths[n] for n in chosen]
    own = replace(source, own_data=cast(Any, SimpleNamespace(sha256="own")))
    trained = SeenImages.of({"train": image_hashes(paths[6:])}, "split")
    monkeypatch.setattr(module, "images_of_checkpoint", lambda folder: trained)
    listed = own.seen_images
    assert listed is not None
    assert [listed.part_of(image) for image in image_hashes(paths)] == (
        ["validation"] * 5 + [None, "train"]
    )
    monkeypatch.setattr(module, "images_of_checkpoint", lambda folder: None)
    assert replace(own).seen_images is None


def test_outputs_are_computed_once(
    source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import edgekd.models

    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    calls: list[int] = []

    def outputs_of(network: Any, images: np.ndarray) -> np.ndarray:
        calls.append(len(images))
        return np.full((len(images), 2), 0.5, np.float32)

    checkpoint = SimpleNamespace(normalised=lambda: None)
    monkeypatch.setattr(edgekd.models, "load_checkpoint", lambda folder: checkpoint, raising=False)
    monkeypatch.setattr(edgekd.models, "logits_of", outputs_of, raising=False)
    other = Source(source.folder, source.card, source.split, source.pixels, {})
    np.testing.assert_array_equal(source.outputs, other.outputs)
    assert source.outputs.shape == (3, 2)
    assert calls == [3]


@pytest.mark.parametrize("is_run", [True, False])
def test_a_run_has_its_student_in_a_folder(tmp_path: Path, is_run: bool) -> None:
    if is_run:
        (tmp_path / "student").mkdir()
    assert find_student(tmp_path) == (tmp_path / "student" if is_run else tmp_path)


@pytest.mark.parametrize(
    ("arch", "gives", "words"),
    [
        ("ONNX", "logits", "ONNX, which can teach a student but cannot be lowered itself"),
        ("TorchScript", "logits", "TorchScript, which can teach"),
        ("resnet10t", "probabilities", "gives probabilities, and a file for a device gives logits"),
    ],
)
def test_imports_that_cannot_be_lowered_are_refused_by_name(
    tmp_path: Path, arch: str, gives: Any, words: str
) -> None:
    names = ("a", "b")
    card = msgspec.structs.replace(
        make_card(), arch=arch, classes=names,
        imported=ImportCard(kind="a file", file="a", sha256=""),
        gives=OutputCard(names=names, classes={name: name for name in names}, gives=gives),
    )  # fmt: skip
    (tmp_path / CARD).write_bytes(pretty_json(card))
    with pytest.raises(InputError, match=words) as caught:
        load_source(tmp_path)
    assert caught.value.hint
