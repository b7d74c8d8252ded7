"""The training module: its batches, and what ends a training."""

from __future__ import annotations

import pytest
import torch
from small_runs import run, same, train_once, weights
from torch import Tensor

from edgekd.distill.samples.run_samples import Share
from edgekd.distill.training.module import StageModule
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork, create_network, load_checkpoint
from edgekd.recipe import FitSection, convert


@pytest.mark.parametrize(("epochs", "warmup"), [(5, 0.2), (2, 0.5), (1, 0.5), (1, 0.2), (1, 0.0)])
def test_one_step_an_epoch(recipe, tmp_path, epochs, warmup):
    train_once(recipe, tmp_path, epochs=epochs, warmup=warmup, batch_size=64)
    assert load_checkpoint(tmp_path).card.training.epochs == epochs


@pytest.mark.parametrize("batch_size", [17, 34])
def test_a_last_batch_of_one_image_is_left_out(recipe, tmp_path, batch_size):
    train_once(recipe, tmp_path, batch_size=batch_size)
    assert load_checkpoint(tmp_path).card.data.images["train"] == 35


def test_batches_of_one_image_are_refused_where_they_are_normalised_by(recipe, tmp_path):
    with pytest.raises(InputError, match="normalises by batches") as caught:
        train_once(recipe, tmp_path, batch_size=1)
    assert "fit.batch_size" in caught.value.hint
    assert not (tmp_path / "model.json").exists()
    train_once(recipe, tmp_path, options={"norm_layer": "groupnorm1"}, batch_size=1)


def test_a_training_that_diverges_stops_there(recipe, tmp_path):
    with pytest.raises(InputError, match="supervised diverged in epoch") as caught:
        train_once(recipe, tmp_path, epochs=2, optimizer="sgd", learning_rate=1e30)
    assert "fit.learning_rate" in caught.value.hint
    assert not (tmp_path / "model.json").exists()


def test_more_devices_than_training_images_are_refused(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(StageModule, "_share", lambda self: Share(0, 36))
    with pytest.raises(InputError, match="fewer training images than the 36 devices"):
        train_once(recipe, tmp_path)


def test_training_images_grow_and_are_validated_at_their_full_size(
    taught, recipe, tmp_path, monkeypatch
):
    sides: dict[bool, list[int]] = {True: [], False: []}
    forward = NormalisedNetwork.forward

    def noted(self: NormalisedNetwork, pixels: Tensor) -> Tensor:
        sides[self.training].append(pixels.shape[-1])
        return forward(self, pixels)

    fit = {"epochs": 3, "batch_size": 16, "image_sizes": [16, 24, 32]}
    student = {"model": recipe().student.model, "fit": fit}
    recipe = taught(student=student)
    monkeypatch.setattr(NormalisedNetwork, "forward", noted)
    run(recipe, tmp_path)
    assert sides[True][-6:] == [16, 16, 24, 24, 32, 32]  # two steps an epoch
    # The teacher sees the student's pixels; validation is at the full size.
    assert [sides[False].count(side) for side in (16, 24)] == [2, 2]
    assert set(sides[False]) == {16, 24, 32}


def test_sizes_have_equal_shares_of_the_epochs():
    fit = FitSection(epochs=7, image_sizes=(16, 24, 32))
    assert [fit.training_side(epoch, 32) for epoch in range(8)] == [16, 16, 16, 24, 24, 32, 32, 32]
    assert FitSection().training_side(3, 96) == 96
    with pytest.raises(InputError, match="more image_sizes than the 2 epochs"):
        convert({"epochs": 2, "image_sizes": [16, 24, 32]}, FitSection, "here")


STOCHASTIC = {"channels": [4, 4, 8, 8], "stem_width": 4, "drop_path_rate": 0.5}


def test_stochastic_depth_trains_and_is_gone_from_what_is_exported(taught, tmp_path):
    fit = {"epochs": 1, "batch_size": 16}
    student = {"model": {"arch": "resnet10t", "options": STOCHASTIC}, "fit": fit}
    results = [tmp_path / "a", tmp_path / "b"]
    for out in results:
        run(taught(student=student), out)
    assert same(weights(results[0]), weights(results[1]))  # the seed draws what is dropped
    network = load_checkpoint(results[0] / "student").network
    pixels = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert not network.train()(pixels).equal(network(pixels))
        expected = network.eval()(pixels)
        program = torch.export.export(network, (pixels,))
        assert program.module()(pixels).equal(expected)
    kinds = {str(node.target) for node in program.graph.nodes}
    assert not any("bernoulli" in kind or "dropout" in kind for kind in kinds)
    plain = create_network("resnet10t", 7, STOCHASTIC | {"drop_path_rate": 0.0}).eval()
    plain.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert plain(pixels).equal(expected)
