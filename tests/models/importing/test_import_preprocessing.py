from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.models.foreign.base import InputShape
from edgekd.models.importing.preprocessing import (
    IMAGENET,
    preprocessing_of_timm,
    settle,
    usual_preprocessing,
)
from edgekd.models.importing.request import Preprocessing


def test_the_user_goes_before_the_file_and_that_before_the_usual() -> None:
    user = Preprocessing(size=96, channels="BGR", origin="the user")
    file = Preprocessing(size=128, mean=(0.1, 0.2, 0.3), origin="the file")
    settled = settle((user, file), None)
    assert (settled.size, settled.mean, settled.std) == (96, (0.1, 0.2, 0.3), IMAGENET[1])
    assert settled.card.channels == "BGR"
    assert settled.origins == ("the user", "the file")
    assert settled.assumed == ("std", "resize", "fraction", "interpolation", "layout")
    assert "assumed: std" in settled.text()


def test_what_a_file_of_another_program_takes_is_known() -> None:
    settled = settle((Preprocessing(),), InputShape("NHWC", 64, 1))
    assert (settled.size, settled.card.layout) == (64, "NHWC")
    assert {"size", "layout"}.isdisjoint(settled.assumed)
    with pytest.raises(InputError, match="images of 64 px alone, not of 96"):
        settle((Preprocessing(size=96),), InputShape("NCHW", 64, 1))


def test_what_is_usual_for_torchvision_and_timm() -> None:
    usual = usual_preprocessing("torchvision:shufflenet_v2_x0_5")
    assert (usual.size, usual.mean, usual.std) == (224, *IMAGENET)
    settled = settle((usual,), None)
    assert (settled.resized, settled.card.interpolation) == (256, "bilinear")
    assert settled.assumed == ()
    settled = settle((usual_preprocessing("resnet10t"),), None)
    assert (settled.size, settled.resized, settled.card.interpolation) == (176, 201, "bicubic")
    assert usual_preprocessing("package.module:Class") == Preprocessing()
    assert usual_preprocessing("no-such-net") == Preprocessing()


def test_a_configuration_of_timm_that_resizes_both_sides() -> None:
    config = {"input_size": [3, 64, 64], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
              "crop_mode": "squash", "crop_pct": 1.0, "interpolation": "bicubic"}  # fmt: skip
    known = preprocessing_of_timm(config, "it")
    assert (known.size, known.resize, known.interpolation) == (64, "squash", "bicubic")
    assert known.mean == (0.5, 0.5, 0.5)
