"""Predictions of a comparison's students on the test images, kept so that tables can be remade."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.distill.comparison.label_bits import LabelBits
from edgekd.errors import ArtefactError, InputError
from edgekd.files import write_atomically
from edgekd.metrics import softmax

__all__ = ["PREDICTIONS", "ComparedMethod", "PredictionFacts", "Predictions", "TestedPart"]

PREDICTIONS = "predictions.npz"
"""Name of the file with the predictions in a comparison's folder."""

_DAMAGED = (
    zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError, AttributeError, RecursionError,
)  # fmt: skip
_FACTS = "facts"


class ComparedMethod(msgspec.Struct, frozen=True, kw_only=True):
    """One method.

    Attributes:
        name: Name of its recipe.
        method: Name of the method in its recipe.
        label_bits: Label bits of the teacher's subclasses; means over the folds.
    """

    name: str
    method: str
    label_bits: LabelBits | None = None


class PredictionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything beside the arrays.

    Attributes:
        data: Name of the data set.
        classes: Class names in the order of the logits.
        ordered: Whether the classes are grades, each worse than the one before.
        images: Images by part; of the first fold, where there are folds.
        split_sha256: Hash of the split, or of the splits of all folds.
        methods: The compared methods, the undistilled student first.
        seeds: Seeds of every method's runs.
        folds: Number of cross-validation folds; 0 for none.
        format_version: Version of the file's format.
    """

    data: str
    classes: tuple[str, ...]
    ordered: bool
    images: dict[str, int]
    split_sha256: str
    methods: tuple[ComparedMethod, ...]
    seeds: tuple[int, ...]
    folds: int = 0
    format_version: int = 1


@dataclass(frozen=True)
class TestedPart:
    """One test part: that of the split, or of one fold.

    Attributes:
        labels: Class indices [N].
        groups: Lesion or patient of each image [N], numbered over all parts.
        outputs: Logits of every method's students [methods, seeds, N, K].
        teacher: The teacher's logits [N, K]; None without a teacher.
    """

    __test__ = False  # not a test class for pytest, despite its name

    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    outputs: NDArray[np.float32]
    teacher: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Predictions:
    """Logits of all methods, seeds and folds, with the facts of the comparison.

    Attributes:
        facts: Everything beside the arrays.
        parts: One for each fold; without folds a single one.
    """

    facts: PredictionFacts
    parts: tuple[TestedPart, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices of the test images of all parts [N]."""
        return np.concatenate([part.labels for part in self.parts])

    @property
    def groups(self) -> NDArray[np.int64]:
        """Group numbers of the test images of all parts [N]."""
        return np.concatenate([part.groups for part in self.parts])

    def decided(self, method: int) -> NDArray[np.int64]:
        """Class index that each student of a method predicts for each test image [seeds, N]."""
        parts = [part.outputs[method].argmax(axis=2) for part in self.parts]
        return np.concatenate(parts, axis=1).astype(np.int64)

    def probabilities(self, method: int) -> NDArray[np.float64]:
        """Probabilities that each student of a method gives each test image [seeds, N, K]."""
        parts = [softmax(part.outputs[method]) for part in self.parts]
        return np.concatenate(parts, axis=1)

    @property
    def fold_numbers(self) -> NDArray[np.int64]:
        """The fold of each test image [N]; zeros without folds."""
        sizes = [part.labels.size for part in self.parts]
        return np.repeat(np.arange(len(sizes)), sizes)

    def save(self, file: Path) -> None:
        """Write a .npz file, which contains no names of images or patients."""
        arrays: dict[str, NDArray[Any]] = {
            _FACTS: np.frombuffer(msgspec.json.encode(self.facts), np.uint8)
        }
        for number, part in enumerate(self.parts):
            arrays |= {f"labels-{number}": part.labels, f"groups-{number}": part.groups}
            arrays[f"outputs-{number}"] = part.outputs
            if part.teacher is not None:
                arrays[f"teacher-{number}"] = part.teacher
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
        write_atomically(file, content.getvalue())

    @classmethod
    def load(cls, file: Path) -> Predictions:
        """Read a file that `save` wrote.

        Args:
            file: The file, or the folder of the comparison that holds it.

        Raises:
            InputError: There is no such file.
            ArtefactError: The file is damaged, of another kind, or of an unknown version.
        """
        file = file / PREDICTIONS if file.is_dir() else file
        if not file.is_file():
            raise InputError(f"there are no predictions at {file}", "`edgekd compare` makes them")
        try:
            with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
                return _read({name: arrays[name] for name in arrays.files})
        except OSError as error:
            message = f"cannot read {file}: {error.strerror or error}"
            raise InputError(message, "check the file") from error
        except _DAMAGED as error:
            message = f"{file} holds no predictions of a comparison, or is damaged"
            raise ArtefactError(
                message, "run `edgekd compare` again with the same --out"
            ) from error


def _read(arrays: Mapping[str, NDArray[np.generic]]) -> Predictions:
    facts = msgspec.json.decode(arrays[_FACTS].tobytes(), type=PredictionFacts)
    if facts.format_version != 1:
        raise ValueError(facts.format_version)
    parts = tuple(_part(arrays, number, facts) for number in range(max(facts.folds, 1)))
    return Predictions(facts, parts)


def _part(
    arrays: Mapping[str, NDArray[np.generic]], number: int, facts: PredictionFacts
) -> TestedPart:
    teacher = arrays.get(f"teacher-{number}")
    part = TestedPart(
        labels=arrays[f"labels-{number}"].astype(np.int64, casting="same_kind"),
        groups=arrays[f"groups-{number}"].astype(np.int64, casting="same_kind"),
        outputs=arrays[f"outputs-{number}"].astype(np.float32),
        teacher=None if teacher is None else teacher.astype(np.float32),
    )
    images, classes = part.labels.size, len(set(facts.classes))
    whole = (len(facts.methods), len(facts.seeds), images, classes)
    fits = part.outputs.shape == whole and part.groups.shape == part.labels.shape == (images,)
    fits &= part.teacher is None or part.teacher.shape == (images, classes)
    if not fits or (images and not 0 <= part.labels.min() <= part.labels.max() < classes):
        raise ValueError(part.outputs.shape)
    return part
