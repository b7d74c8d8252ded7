"""The training module: its batches, and what ends a training."""

from __future__ import annotations

import pytest
from small_runs import train_once

from edgekd.distill.samples.run_samples import Share
from edgekd.distill.training.module import StageModule
from edgekd.errors import InputError
from edgekd.models import load_checkpoint


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
