"""Images of a search without data: kept by batches, the same after an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgekd.distill.synthesis.inversion import Inversion, InversionSettings, middle
from edgekd.errors import InputError
from edgekd.tune.supernet.made_images import FOLDER, make_images


def inversion(**numbers: int) -> Inversion:
    torch.manual_seed(0)
    teacher = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3),
    )  # fmt: skip
    known = {"images": 10, "batch": 4, "rounds": 1, "half": 0, "whole": 2, **numbers}
    return Inversion(teacher, 16, 3, InversionSettings(**known))


def test_images_and_the_teachers_answers(tmp_path: Path) -> None:
    lines: list[str] = []
    inverted = inversion()
    made = make_images(inverted, tmp_path, "a", 0, lines.append)
    assert made.canvases.shape == (10, 3, 18, 18)
    assert made.canvases.dtype == torch.uint8
    assert len(made.labels) == len(made.outputs) == 10
    assert len(lines) == len(list((tmp_path / FOLDER).iterdir())) == 3
    assert "images 3/3" in lines[2]
    outputs = inverted.teacher(middle(made.canvases, 16).float() / 255.0)
    torch.testing.assert_close(outputs, made.outputs, atol=0.02, rtol=0.0)
    assert not made.canvases[:4].equal(made.canvases[4:8])


def test_an_interrupted_synthesis_continues_with_the_same_images(tmp_path: Path) -> None:
    whole = make_images(inversion(), tmp_path / "whole", "a", 0)

    def stop(line: str) -> None:
        if "2/3" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_images(inversion(), tmp_path / "parts", "a", 0, stop)
    lines: list[str] = []
    continued = make_images(inversion(), tmp_path / "parts", "a", 0, lines.append)
    assert len(lines) == 1
    assert continued.canvases.equal(whole.canvases)
    assert continued.outputs.equal(whole.outputs)


def test_images_of_another_teacher_or_seed_are_made_again(tmp_path: Path) -> None:
    first = make_images(inversion(), tmp_path, "a", 0)
    lines: list[str] = []
    make_images(inversion(), tmp_path, "b", 0, lines.append)
    other = make_images(inversion(), tmp_path, "b", 1, lines.append)
    assert len(lines) == 6
    assert not other.canvases.equal(first.canvases)


@pytest.mark.parametrize(
    ("numbers", "words"), [({"batch": 2}, "all 3 classes"), ({"images": 1}, "one image")]
)
def test_too_few_images_are_refused(numbers: dict[str, int], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        make_images(inversion(**numbers), tmp_path, "a", 0)
