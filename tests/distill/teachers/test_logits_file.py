"""Making files of a teacher's outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgekd.distill.samples.run_samples import load_samples, load_split
from edgekd.distill.teachers.logits_file import LogitsRequest, images_of_table, write_logits
from edgekd.distill.teachers.soft_label_files import read_soft_label_file
from edgekd.errors import InputError, MissingDependencyError
from edgekd.models import load_checkpoint, logits_of, read_card


@pytest.fixture
def request_of(recipe, taught, teacher, tmp_path):
    def make(**changed):
        made = recipe(**changed.pop("recipe", {}))
        known = {"teacher": teacher, "recipe": made, "split": load_split(made), "views": 2,
                 "seed": 1, "out": tmp_path / "soft.npz"}  # fmt: skip
        return LogitsRequest(**(known | changed))

    return make


def test_outputs_of_views_and_what_the_file_says(request_of, teacher, tmp_path):
    request = request_of()
    content = write_logits(request)
    train = request.split.indices("train")
    assert content.outputs.shape == (len(train), 2, len(read_card(teacher).classes))
    assert content.positions == tuple(train)
    facts = read_soft_label_file(tmp_path / "soft.npz").facts
    assert facts is not None
    assert facts.views is not None
    assert (facts.views["number"], facts.views["seed"]) == (2, 1)
    assert facts.views["images"] == len(request.split.parts)
    assert facts.teacher["sha256"] == read_card(teacher).weights_sha256
    assert facts.teacher["mean"]
    other = write_logits(request_of(seed=2, out=tmp_path / "other.npz"))
    assert not np.array_equal(other.outputs, content.outputs)


def test_the_images_themselves(request_of, recipe, teacher):
    content = write_logits(request_of(views=0))
    samples = load_samples(recipe())
    expected = logits_of(load_checkpoint(teacher).normalised(), samples.part("train")[0])
    np.testing.assert_allclose(content.outputs[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert content.positions == ()


def test_all_images_of_a_table_without_labels(request_of, recipe, teacher, tmp_path):
    dataset = load_split(recipe()).dataset
    names = [sample.image for sample in dataset.samples][:9]
    table = tmp_path / "images.csv"
    table.write_text("picture\n" + "\n".join(names))
    split = images_of_table(table, dataset.root, teacher, "picture")
    content = write_logits(request_of(split=split, out=tmp_path / "soft.csv"))
    assert content.names == tuple(names)
    assert content.positions == tuple(range(9))
    assert all(len(digest) == 16 for digest in content.hashes)
    with pytest.raises(InputError, match="no column 'image'"):
        images_of_table(table, dataset.root, teacher, "image")


def test_what_cannot_be_in_a_file(request_of, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="the recipe mixes them"):
        write_logits(request_of(recipe={"augment": {"mixup": 0.2}}))
    with pytest.raises(InputError, match="none of the kinds"):
        write_logits(request_of(out=tmp_path / "soft.json"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match="pyarrow"):
        write_logits(request_of(out=tmp_path / "soft.parquet"))
    assert not list(Path(tmp_path).glob("soft*"))
