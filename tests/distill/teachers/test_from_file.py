"""A student of a file of outputs alone, beside one of the teacher itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import record_stages, run, same, weights

from edgekd.distill.samples.run_samples import load_split
from edgekd.distill.teachers.from_file import AbsentTeacher
from edgekd.distill.teachers.logits_file import LogitsRequest, write_logits
from edgekd.distill.teachers.soft_label_files import (
    read_soft_label_file,
    write_soft_label_file,
)
from edgekd.errors import InputError
from edgekd.models import read_card

AUGMENT = {"policy": "trivial", "margin": 1.25, "crop": 0.7}
METHOD = {"name": "kd", "temperature": 1.0, "weight": 1.0}


@pytest.fixture
def own_teacher(taught, teacher, tmp_path) -> Path:
    """A copy of the teacher, which can be removed."""
    return shutil.copytree(teacher, tmp_path / "teacher")


def write(recipe, teacher: Path, file: Path, views: int = 2):
    write_logits(LogitsRequest(teacher, recipe, load_split(recipe), views, 5, file))
    return read_soft_label_file(file)


@pytest.mark.parametrize("kind", ["npz", "csv"])
@pytest.mark.parametrize("size", [32, 24])
def test_the_same_weights_without_the_teacher(recipe, own_teacher, tmp_path, kind, size):
    known = {"method": METHOD, "augment": AUGMENT, "image_size": size}
    section = {"checkpoint": str(own_teacher), "precision": "fp32",
               "cache": {"views": 2, "seed": 5}}  # fmt: skip
    run(recipe(teacher=section, **known), tmp_path / "taught")
    file = tmp_path / f"soft.{kind}"
    write(recipe(**known), own_teacher, file)
    shutil.rmtree(own_teacher)
    lines = run(recipe(teacher={"logits": str(file)}, **known), tmp_path / "alone")
    assert same(weights(tmp_path / "taught"), weights(tmp_path / "alone"))
    assert any(f"teacher: {file}, 2 views of" in line for line in lines)
    card = read_card(tmp_path / "alone" / "student")
    assert card.training.teaching["logits"] == file.name
    assert card.training.teaching["teacher"]["arch"] == "resnet10t"
    reused = run(recipe(teacher={"logits": str(file)}, **known), tmp_path / "alone")
    assert any("reused" in line for line in reused)


def test_outputs_for_the_images_themselves(recipe, own_teacher, tmp_path):
    known = {"method": METHOD, "augment": AUGMENT}
    file = tmp_path / "soft.csv"
    content = write(recipe(**known), own_teacher, file, views=0)
    assert content.facts is not None
    assert content.facts.views is None
    run(recipe(teacher={"logits": str(file)}, **known), tmp_path / "edgekd")
    # The same numbers in a table of another program, as probabilities.
    outputs = torch.from_numpy(content.outputs).softmax(2).numpy()
    write_soft_label_file(tmp_path / "theirs.csv", replace(
        content, facts=None, outputs=outputs, hashes=(), positions=()
    ))  # fmt: skip
    theirs = {"logits": str(tmp_path / "theirs.csv")}
    with pytest.raises(InputError, match="does not say how it was made") as caught:
        run(recipe(teacher=theirs, **known), tmp_path / "refused")
    assert "trust_logits" in caught.value.hint
    assert not (tmp_path / "refused" / "student" / "model.json").exists()
    lines = run(recipe(teacher={**theirs, "trust_logits": True}, **known), tmp_path / "them")
    assert any("its numbers are taken as probabilities" in line for line in lines)
    for name, tensor in weights(tmp_path / "edgekd").items():
        found = weights(tmp_path / "them")[name]
        torch.testing.assert_close(found, tensor, rtol=1e-3, atol=1e-4)


def test_what_a_file_does_not_hold_is_refused_before_any_training(
    recipe, own_teacher, tmp_path, monkeypatch
):
    file = tmp_path / "soft.npz"
    write(recipe(), own_teacher, file)
    section, trained = {"logits": str(file)}, record_stages(monkeypatch)
    for name, words in [("fitnet", "feature maps, which `teacher.logits` does not hold"),
                        ("rkd", "pooled vectors, which")]:  # fmt: skip
        with pytest.raises(InputError, match=words):
            run(recipe(teacher=section, method={"name": name}), tmp_path / "out")
    with pytest.raises(InputError, match="the recipe mixes them"):
        run(recipe(teacher=section, augment={"mixup": 0.2}), tmp_path / "out")
    assert trained == []
    with pytest.raises(InputError, match="nothing would read `checkpoint`"):
        recipe(teacher={**section, "checkpoint": str(own_teacher)})
    with pytest.raises(InputError, match="and there is none"):
        recipe(teacher={"trust_logits": True})
    with pytest.raises(InputError, match="in a file, or `teachers`"):
        recipe(teacher=section, teachers=[{"checkpoint": "a"}, {"checkpoint": "b"}])


def test_an_absent_teacher_answers_nothing():
    with pytest.raises(InputError, match="holds outputs for views of training images"):
        AbsentTeacher("soft.npz")(torch.zeros(1, 3, 8, 8))
