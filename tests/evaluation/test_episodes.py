"""Episodes of a network: by the features that its classifier reads, over classes that are new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cards import make_card
from tiny_bundles import write_tiny_bundle

from edgekd.data import Dataset, Sample
from edgekd.errors import InputError
from edgekd.evaluation.episodes import embeddings, held_out, run_episodes
from edgekd.metrics.few_shot import EpisodeProtocol, unit_length
from edgekd.models import create_network, load_checkpoint, logits_of, save_checkpoint
from edgekd.models.network import classifier_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    folder = tmp_path_factory.mktemp("checkpoint")
    card = make_card()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_checkpoint(folder, create_network(card.arch, card.outputs, card.arch_options), card)
    return folder


def test_the_features_are_the_classifiers_input(checkpoint: Path) -> None:
    loaded = load_checkpoint(checkpoint)
    size = loaded.card.image_size
    images = np.random.default_rng(0).integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    features = embeddings(checkpoint, images)
    head = classifier_of(loaded.network)
    by_hand = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    expected = logits_of(loaded.normalised(), images)
    np.testing.assert_allclose(by_hand, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(unit_length(features), axis=1), 1.0)


def data_of(folder: Path, classes: tuple[str, ...], images: int) -> Dataset:
    """Photos of stripes that differ in width from class to class."""
    import cv2

    rng, samples = np.random.default_rng(0), []
    for number in range(images):
        at = number % len(classes)
        wave = 127 + 100 * np.sin(np.arange(48) * (0.25 + 0.5 * at) + rng.uniform(0, 6))
        photo = np.repeat(np.tile(wave, (48, 1))[..., None], 3, axis=2)
        photo = np.clip(photo + 5 * rng.normal(size=photo.shape), 0, 255).astype(np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.png"), photo)
        samples.append(Sample(f"{number}.png", classes[at], f"g{number}"))
    return Dataset("stripes", folder, classes, tuple(samples))


def test_classes_that_the_network_learnt_are_left_out(checkpoint: Path, tmp_path: Path) -> None:
    learnt = load_checkpoint(checkpoint).card.classes
    dataset = data_of(tmp_path, ("wide", learnt[0].upper(), "narrow"), 75)
    protocol = EpisodeProtocol(ways=2, shots=5, queries=10, count=20)
    result = run_episodes(checkpoint, dataset, protocol)
    assert result.classes == {"wide": 25, "narrow": 25}
    assert result.left_out == 25
    assert result.accuracy.low is not None
    assert result.accuracy.low > 0.6  # untrained features tell stripes by their width


def test_too_few_new_classes_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    learnt = load_checkpoint(checkpoint).card.classes
    dataset = data_of(tmp_path, (learnt[0], "new"), 4)
    with pytest.raises(InputError, match="1 classes of stripes are new to the network"):
        held_out(dataset, learnt)


def test_a_bundle_gives_no_features(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    dataset = Dataset("none", tmp_path, ("a", "b"), ())
    with pytest.raises(InputError, match="outputs and no features") as caught:
        run_episodes(bundle, dataset, EpisodeProtocol())
    assert "checkpoint" in caught.value.hint
