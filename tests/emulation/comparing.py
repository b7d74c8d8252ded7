"""How answers of two machines compare."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekd.bundle import Bundle
from edgekd.tasks.classification.decision import judge

Answers = dict[str, Any]


def verdicts(answers: Answers) -> dict[str, tuple[str, str]]:
    """Label and decision of each photo."""
    return {name: (one["label"], one["decision"]) for name, one in answers["photos"].items()}


def with_equal_pixels(there: Answers, here: Answers) -> tuple[Answers, Answers]:
    """Both answers for the photos of `there` that the network saw alike on both machines.

    Decoded files are equal to the bit, but OpenCV's area mean rounds a rare pixel otherwise on
    aarch64 (seen: at most 2 values in 150,000, by one level); more than that is an error.
    """
    alike = []
    for name, one in there["photos"].items():
        moved = np.abs(_pixels(one) - _pixels(here["photos"][name]))
        assert moved.max() <= 1
        assert np.count_nonzero(moved) <= 4
        if not moved.any():
            alike.append(name)
    assert len(alike) >= len(there["photos"]) - 1
    first, second = ({name: one["photos"][name] for name in alike} for one in (there, here))
    return {**there, "photos": first}, {**here, "photos": second}


def _pixels(answer: Answers) -> NDArray[np.int64]:
    return np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).astype(np.int64)


def logits(answers: Answers) -> NDArray[np.float32]:
    """All logits, [photos, K]."""
    return np.array([one["logits"] for one in answers["photos"].values()], np.float32)


def quantisation_step(answers: Answers) -> float:
    """The scale of an int8 output: the least distance of two logits."""
    levels = sorted(set(logits(answers).ravel().tolist()))
    distances = [high - low for low, high in itertools.pairwise(levels)]
    return min(distance for distance in distances if distance > 1e-6)


def tflite_reach(answers: Answers, precision: str) -> float:
    """How far tflite-runtime's logits may be from LiteRT's, which rounds otherwise.

    Seen between 2.14.0 and 2.3.0 on 400 photos: int8, one quantisation step in 16 % of the logits;
    fp32, 1e-6.
    """
    return 1.5 * quantisation_step(answers) if precision == "int8" else 1e-5


def steady(answers: Answers, bundle: Path, reach: float) -> set[str]:
    """Photos for which logits that move by at most `reach` change neither label nor decision.

    Where a limit of the decision is nearer than that, two engines that round otherwise may
    rightly disagree; a limit can even lie upon a photo's own probability, which it was fitted to.
    """
    manifest = Bundle.open(bundle).manifest

    def said(moved: NDArray[np.float32]) -> tuple[int, str]:
        return int(moved.argmax()), judge(moved, manifest.decision, manifest.model.classes).verdict

    found = set()
    for name, own in zip(answers["photos"], logits(answers), strict=True):
        if {said(own)} == {said(moved) for moved in _moved(own, reach)}:
            found.add(name)
    return found


def check_steady(answers: Answers, here: Answers, bundle: Path, reach: float) -> None:
    """Logits within `reach`, and the same label and decision wherever that settles them."""
    assert np.abs(logits(answers) - logits(here)).max() <= reach
    settled = steady(here, bundle, reach)
    assert len(settled) >= 0.6 * len(here["photos"])
    there, expected = verdicts(answers), verdicts(here)
    assert {name: there[name] for name in settled} == {name: expected[name] for name in settled}


def check_same(one: Answers, other: Answers) -> None:
    """Answers for the same pixels from the same engine: the same bits.

    What is computed in floats beside the network (measures of the photo, the softmax) may differ
    in the last place.
    """
    for exact in ("label", "decision", "logits", "conformal_set"):
        assert one[exact] == other[exact]
    assert [why["code"] for why in one["reasons"]] == [why["code"] for why in other["reasons"]]
    assert one["probabilities"] == pytest.approx(other["probabilities"], rel=1e-12)
    assert one["quality"]["measures"] == pytest.approx(other["quality"]["measures"], rel=1e-9)


def _moved(own: NDArray[np.float32], reach: float) -> Iterator[NDArray[np.float32]]:
    """The corners that matter to limits on one probability, and on the energy."""
    step = np.float32(reach)
    for direction in (-step, step):
        yield own + direction
        for index in range(own.size):
            away = np.full_like(own, -direction)
            away[index] = direction
            yield own + away
