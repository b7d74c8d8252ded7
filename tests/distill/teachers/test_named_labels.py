"""Files of soft labels that are not those of the run are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from edgekd.data.augment import Augmentation
from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.distill.teachers.fixed_views import FixedViews
from edgekd.distill.teachers.named_labels import HASH, match_labels
from edgekd.distill.teachers.soft_label_files import SoftLabelFile, write_soft_label_file
from edgekd.distill.teachers.soft_labels import SoftLabelFacts
from edgekd.errors import ArtefactError, InputError
from edgekd.files import sha256_of
from edgekd.recipe import Recipe
from edgekd.runtime.preprocess import RULE

VIEWS = 2


@pytest.fixture
def samples(recipe) -> RunSamples:
    return load_samples(recipe())


def content_of(samples: RunSamples, recipe: Recipe) -> SoftLabelFile:
    """A file for all images, as `edgekd logits` writes it, with outputs that say whose they are."""
    dataset, count = samples.split.dataset, len(samples.targets)
    fixed = FixedViews(Augmentation(recipe.augment, 32), count, VIEWS, 3)
    views = {"number": VIEWS, "seed": 3, "augmentation": msgspec.to_builtins(recipe.augment),
             "images": count, "drawn": fixed.digest()}  # fmt: skip
    facts = SoftLabelFacts(
        task=recipe.task, classes=dataset.classes, outputs=dataset.classes, views=views,
        image_size=32, resize=RULE, teacher={}, data={"sha256": samples.content_sha256},
    )  # fmt: skip
    outputs = np.arange(count * VIEWS * len(dataset.classes), dtype=np.float32)
    return SoftLabelFile(
        facts, dataset.classes, tuple(sample.image for sample in dataset.samples),
        outputs.reshape(count, VIEWS, -1), tuple(sha256_of(p)[:HASH] for p in dataset.paths()),
        tuple(range(count)),
    )  # fmt: skip


def edited(content: SoftLabelFile, **facts: Any) -> SoftLabelFile:
    assert content.facts is not None
    return replace(content, facts=msgspec.structs.replace(content.facts, **facts))


def matched(content: SoftLabelFile, file: Path, recipe: Recipe, samples: RunSamples) -> Any:
    write_soft_label_file(file, content)
    return match_labels(file, recipe, samples)


def test_outputs_are_found_by_name_whatever_their_order(recipe, samples, tmp_path):
    content = content_of(samples, recipe())
    turned = np.random.default_rng(0).permutation(len(content.names))
    columns = tuple(content.columns[::-1])
    shuffled = replace(
        content,
        columns=columns,
        facts=msgspec.structs.replace(content.facts, outputs=columns),
        names=tuple(f"elsewhere/{Path(content.names[n]).stem}.PNG" for n in turned),
        outputs=content.outputs[turned][:, :, ::-1],
        hashes=tuple(content.hashes[n] for n in turned),
        positions=tuple(content.positions[n] for n in turned),
    )
    plain = matched(content, tmp_path / "a.npz", recipe(), samples)
    other = matched(shuffled, tmp_path / "b.npz", recipe(), samples)
    train = samples.split.indices("train")
    assert plain.labels.indices.tolist() == train
    assert plain.labels.logits.numpy().tolist() == content.outputs[train].tolist()
    assert other.labels.logits.equal(plain.labels.logits)
    raw, places = torch.rand(3, 3, 40, 40), torch.tensor(train[:3])
    views = torch.tensor([0, 1, 1])
    assert other.fixed.pixels(raw, places, views).equal(plain.fixed.pixels(raw, places, views))
    assert other.fixed.in_epoch(1, 2).of(places).equal(plain.fixed.in_epoch(1, 2).of(places))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: edited(c, task="another"), "of the task another"),
        (lambda c: edited(c, resize="an-older-one"), "preprocessing an-older-one"),
        (lambda c: edited(c, views={**c.facts.views, "side": 24}), "views of 24 px"),
        (lambda c: edited(c, views={**c.facts.views, "seed": 4}), "that this edgekd draws"),
        (lambda c: replace(c, columns=("x", *c.columns[1:]),
                           facts=msgspec.structs.replace(c.facts, outputs=("x", *c.columns[1:]))),
         "has no outputs for"),
        (lambda c: replace(c, names=tuple(f"x{n}" for n, _ in enumerate(c.names))),
         "has no outputs for"),
    ],
)  # fmt: skip
def test_files_of_something_else(recipe, samples, tmp_path, change, words):
    with pytest.raises(InputError, match=words) as caught:
        matched(change(content_of(samples, recipe())), tmp_path / "a.npz", recipe(), samples)
    assert caught.value.hint


def test_another_augmentation_is_refused_by_its_key(recipe, samples, tmp_path):
    content = content_of(samples, recipe())
    with pytest.raises(
        InputError, match=r"made with `augment\.crop` 1\.0, and the recipe has 0\.7"
    ):
        matched(content, tmp_path / "a.npz", recipe(augment={"crop": 0.7}), samples)


def test_other_images_of_the_same_names_are_refused(recipe, samples, tmp_path):
    content = content_of(samples, recipe())
    moved = edited(content, data={"sha256": "0" * 64})  # of a copy, or of a part of the data set
    matched(moved, tmp_path / "a.npz", recipe(), samples)
    spoilt = replace(moved, hashes=tuple("0" * HASH for _ in moved.hashes))
    with pytest.raises(InputError, match=r"are not those that .* was made of"):
        matched(spoilt, tmp_path / "a.npz", recipe(), samples)


def test_a_file_of_more_classes(recipe, samples, tmp_path):
    content = content_of(samples, recipe())
    columns = (*content.columns, "other")
    outputs = np.concatenate([content.outputs, content.outputs[:, :, :1]], axis=2)
    more = replace(content, columns=columns, outputs=outputs,
                   facts=msgspec.structs.replace(content.facts, outputs=columns))  # fmt: skip
    with pytest.raises(InputError, match="is of other, too"):
        matched(more, tmp_path / "a.npz", recipe(), samples)


def test_a_table_of_another_program_is_taken_where_the_user_vouches_for_it(
    recipe, samples, tmp_path
):
    content, trusted = content_of(samples, recipe()), {"logits": "a", "trust_logits": True}
    columns, train = (*content.columns, "other"), samples.split.indices("train")
    shares = np.random.default_rng(0).dirichlet(np.ones(len(columns)), (len(content.names), 1))
    stranger = replace(content, facts=None, hashes=(), positions=(), columns=columns,
                       outputs=shares.astype(np.float32))  # fmt: skip
    with pytest.raises(InputError, match="does not say how it was made"):
        matched(stranger, tmp_path / "a.npz", recipe(), samples)
    found = matched(stranger, tmp_path / "a.npz", recipe(teacher=trusted), samples)
    assert found.fixed is None
    assert "taken as probabilities" in found.notes[0]
    known = shares[train][:, :, :-1]  # the mass of the further class goes to the others
    expected = torch.from_numpy(known / known.sum(axis=2, keepdims=True)).float()
    torch.testing.assert_close(found.labels.logits.softmax(2), expected)
    logits = replace(stranger, outputs=np.log(stranger.outputs))
    again = matched(logits, tmp_path / "a.npz", recipe(teacher=trusted), samples)
    assert "taken as logits" in again.notes[0]
    torch.testing.assert_close(again.labels.logits.softmax(2), expected)
    neither = replace(stranger, outputs=np.full_like(stranger.outputs, 0.9))
    with pytest.raises(InputError, match="numbers of 0 to 1 that are no probabilities"):
        matched(neither, tmp_path / "a.npz", recipe(teacher=trusted), samples)


def test_rows_that_do_not_match_their_positions(recipe, samples, tmp_path):
    content = replace(content_of(samples, recipe()), positions=())
    with pytest.raises(ArtefactError, match="rows do not match"):
        matched(content, tmp_path / "a.npz", recipe(), samples)
