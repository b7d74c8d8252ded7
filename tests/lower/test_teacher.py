"""Where the teacher of a student is found, and why another network is not taken for it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgekd.data import Split
from edgekd.data.dataset import Sample, dataset_of
from edgekd.data.split import write_split
from edgekd.errors import ArtefactError, InputError
from edgekd.files import pretty_json
from edgekd.lower import teacher as module
from edgekd.lower.source import Source
from edgekd.lower.teacher import Teacher, find_teacher, teacher_outputs
from edgekd.models import DataCard, ModelCard, TrainingCard
from edgekd.models.card import CARD, SPLIT, WEIGHTS, ImportCard

CLASSES = ("mel", "nv")


def card(role: Any, *, teacher: str | None = None, **changed: Any) -> ModelCard:
    fields: dict[str, Any] = {
        "role": role, "arch": "tiny", "classes": CLASSES, "image_size": 32, "mean": (0.5,) * 3,
        "std": (0.5,) * 3, "resize": "rule", "params": 1, "macs": 1, "pretrained": "none",
        "data": DataCard(name="mine", root="", sha256="split", images={}),
        "training": TrainingCard(
            method="kd", seed=0, recipe_sha256="", stage_sha256="", epochs=1, best_epoch=1,
            teacher=teacher,
        ),
        "weights_sha256": "of-" + role,
    }  # fmt: skip
    return ModelCard(**fields | changed)


def write(folder: Path, network: ModelCard) -> Path:
    folder.mkdir(parents=True)
    (folder / CARD).write_bytes(pretty_json(network))
    return folder


def source(run: Path, *, teacher: str | None = "of-teacher") -> Source:
    (run / "student").mkdir(parents=True, exist_ok=True)
    return cast(
        Source,
        SimpleNamespace(
            folder=run / "student",
            card=card("student", teacher=teacher),
            images=np.zeros((2, 32, 32, 3), np.uint8),
            split=split_of(train=1),
            own_data=None,
        ),
    )


def split_of(*, train: int) -> Split:
    """So many training images, one that is validated, and one that is tested."""
    names = ["validated", "tested", *(f"taught-{n}" for n in range(train))]
    samples = [Sample(f"{name}.jpg", "nv", name) for name in names]
    dataset = dataset_of("mine", Path(), samples, classes=CLASSES, task="classification")
    return Split(dataset, ("validation", "test", *["train"] * train))


def test_it_is_beside_the_student_in_its_run(tmp_path: Path) -> None:
    place = write(tmp_path / "teacher", card("teacher"))
    assert find_teacher(source(tmp_path)) == Teacher(place, sha256="of-teacher")


def test_it_is_where_the_recipe_names_it(tmp_path: Path) -> None:
    place = write(tmp_path / "elsewhere", card("teacher"))
    student = source(tmp_path / "run")
    recipe = {"name": "mine", "teacher": {"checkpoint": str(place)}}
    (student.folder / "recipe.json").write_bytes(msgspec.json.encode(recipe))
    assert find_teacher(student).folder == place


def test_it_is_the_student_that_the_recipe_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write(tmp_path / "students" / "known", card("teacher"))
    (place / "certificates").mkdir()
    student = source(tmp_path / "run")
    recipe = {"name": "mine", "teacher": {"checkpoint": "known"}}
    (student.folder / "recipe.json").write_bytes(msgspec.json.encode(recipe))
    assert find_teacher(student).folder is None
    monkeypatch.setenv("EDGEKD_STUDENTS", str(tmp_path / "students"))
    assert find_teacher(student).folder == place


def test_the_teacher_that_made_a_file_of_outputs_is_taken_where_the_user_names_it(
    tmp_path: Path,
) -> None:
    student = source(tmp_path / "run", teacher="of-the-file")
    teaching = {"logits": "soft.npz", "teacher": {"sha256": "of-teacher"}}
    training = msgspec.structs.replace(student.card.training, teaching=teaching)
    known = SimpleNamespace(
        folder=student.folder, card=msgspec.structs.replace(student.card, training=training)
    )
    assert find_teacher(cast(Source, known)).folder is None  # it is not beside the student
    (tmp_path / "run" / "teacher").mkdir(parents=True)
    weights = tmp_path / "run" / "teacher" / WEIGHTS
    weights.write_bytes(b"weights")
    made = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "run" / "teacher" / CARD).write_bytes(
        pretty_json(card("teacher", weights_sha256=made))
    )
    with pytest.raises(InputError, match="not those that the student learnt from"):
        find_teacher(cast(Source, known), tmp_path / "run")
    teaching["teacher"] = {"sha256": made}
    assert find_teacher(cast(Source, known), tmp_path / "run").by_user


@pytest.mark.parametrize("recipe", [b"{", b"{}", b'{"teacher": null}', b'{"teacher": {}}'])
def test_without_one_the_reason_is_given(tmp_path: Path, recipe: bytes) -> None:
    student = source(tmp_path / "run")
    (student.folder / "recipe.json").write_bytes(recipe)
    found = find_teacher(student)
    assert (found.folder, found.sha256) == (None, "")
    assert "--teacher DIR names it" in found.reason


def test_a_student_that_had_none_says_so(tmp_path: Path) -> None:
    assert "trained without a teacher" in find_teacher(source(tmp_path, teacher=None)).reason


def test_it_is_taken_where_the_user_names_it(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"weights").hexdigest()
    place = write(tmp_path / "other" / "teacher", card("teacher", weights_sha256=sha256))
    (place / WEIGHTS).write_bytes(b"weights")
    for given in (place, tmp_path / "other"):
        found = find_teacher(source(tmp_path / "run", teacher=sha256), given)
        assert (found.folder, found.by_user) == (place, True)
    alone = source(tmp_path / "run", teacher=None)  # may be compared with any of the same split
    assert find_teacher(alone, place).folder == place
    (place / WEIGHTS).write_bytes(b"wrights")
    with pytest.raises(ArtefactError, match="damaged"):
        find_teacher(alone, place)
    (place / WEIGHTS).unlink()
    with pytest.raises(ArtefactError, match="missing"):
        find_teacher(alone, place)


OTHERS = {
    "its weights are not those that the student learnt from": {"weights_sha256": "of-another"},
    "another task or other classes": {"classes": ("nv", "mel")},
    "may have seen the validation images": {
        "data": DataCard(name="mine", root="", sha256="another", images={})
    },
}


@pytest.mark.parametrize("reason", OTHERS)
def test_another_network_is_not_taken_for_it(tmp_path: Path, reason: str) -> None:
    place = write(tmp_path / "teacher", card("teacher", **OTHERS[reason]))
    found = find_teacher(source(tmp_path))
    assert found.folder is None
    assert reason in found.reason
    with pytest.raises(InputError, match="cannot be the teacher") as caught:
        find_teacher(source(tmp_path), place)
    assert reason in caught.value.message


def test_a_teacher_of_other_training_images_is_taken_if_it_left_out_the_same_ones(
    tmp_path: Path,
) -> None:
    more = split_of(train=3)
    data = DataCard(name="mine", root="", sha256=more.sha256(), images={})
    place = write(tmp_path / "teacher", card("teacher", data=data))
    student = source(tmp_path)
    assert "may have seen the validation images" in find_teacher(student).reason  # nothing says so
    (place / SPLIT).write_text(write_split(more))
    assert find_teacher(student).folder == place
    student.own_data = data  # type: ignore[misc]  # images of the user's, which it may know
    assert find_teacher(student).folder is None


def test_damage_is_an_error_only_where_the_user_named_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> NDArray[np.float32]:
        raise ArtefactError("the weights are damaged", "copy them again")

    monkeypatch.setattr(module, "kept_outputs", damaged)
    place = write(tmp_path / "teacher", card("teacher"))
    student = source(tmp_path)
    compared = teacher_outputs(student, find_teacher(student))
    assert (compared.outputs, compared.reason) == (None, "the weights are damaged")
    with pytest.raises(ArtefactError):
        teacher_outputs(student, find_teacher(student, place))
    assert teacher_outputs(student, Teacher(None, "gone")).reason == "gone"


def test_an_imported_teacher_is_compared_where_the_student_learnt_from_it(tmp_path: Path) -> None:
    imported = ImportCard(kind="a file", file="a", sha256="")
    elsewhere = DataCard(name="", root="", sha256="", images={})
    turned = card("teacher", imported=imported, data=elsewhere, classes=CLASSES[::-1])
    place = write(tmp_path / "teacher", turned)
    assert find_teacher(source(tmp_path)) == Teacher(place, sha256="of-teacher")
    (place / WEIGHTS).write_bytes(b"")
    with pytest.raises(InputError, match="may have seen the validation images"):
        find_teacher(source(tmp_path, teacher=None), place)
    plain = card("teacher", data=elsewhere, classes=CLASSES[::-1])
    with pytest.raises(InputError, match="other classes"):
        find_teacher(source(tmp_path), write(tmp_path / "plain", plain))


def test_outputs_of_an_imported_teacher_come_in_the_students_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = ImportCard(kind="a file", file="a", sha256="")
    place = write(tmp_path / "teacher", card("teacher", imported=imported, classes=CLASSES[::-1]))
    outputs = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    monkeypatch.setattr(module, "kept_outputs", lambda *_: outputs)
    answered = teacher_outputs(source(tmp_path), Teacher(place, sha256="of-teacher"))
    assert answered.outputs is not None
    assert answered.outputs.tolist() == outputs[:, ::-1].tolist()
