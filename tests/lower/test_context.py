"""The key of an attempt holds what its file depends on, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from cards import make_card

from edgekd.errors import InputError
from edgekd.lower.context import BuildContext, saved_array
from edgekd.lower.precision import Variant
from edgekd.lower.progress import LineReporter
from edgekd.lower.store import Store

INT8, FP32 = Variant(precision="int8"), Variant(precision="fp32")


def context(tmp_path: Path, calibration: str | None = "c") -> BuildContext:
    images = None if calibration is None else SimpleNamespace(sha256=calibration)
    return BuildContext(
        cast(Any, SimpleNamespace(card=make_card())), cast(Any, images), Store(tmp_path), tmp_path,
        tmp_path, LineReporter(),
    )  # fmt: skip


def test_calibration_images_count_for_int8_alone(tmp_path: Path) -> None:
    first, second = context(tmp_path, "c"), context(tmp_path, "d")
    assert first.attempt("onnx", INT8).key != second.attempt("onnx", INT8).key
    assert first.attempt("onnx", FP32).key == second.attempt("onnx", FP32).key
    assert first.attempt("onnx", FP32).key != first.attempt("tflite", FP32).key


def test_recorded_ranges_count_in_place_of_images(tmp_path: Path) -> None:
    def key(content: bytes) -> str:
        file = tmp_path / "onnx-int8"
        file.write_bytes(content)
        ranges = {("onnx", INT8): file}
        return replace(context(tmp_path, None), ranges=ranges).attempt("onnx", INT8).key

    assert key(b"ranges") == key(b"ranges")
    assert len({key(b"ranges"), key(b"others"), context(tmp_path).attempt("onnx", INT8).key}) == 3


def test_an_attempt_says_whose_weights_it_has(tmp_path: Path) -> None:
    fine_tuned = replace(context(tmp_path), quantisation_aware=True)
    assert fine_tuned.attempt("onnx", INT8).quantisation_aware
    assert not context(tmp_path).attempt("onnx", INT8).quantisation_aware


def test_an_unknown_backend_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="coreml"):
        context(tmp_path).attempt("coreml", INT8)


def test_an_array_is_written_once(tmp_path: Path) -> None:
    file = saved_array(tmp_path / "a.npy", lambda: np.arange(3))
    assert saved_array(file, lambda: np.arange(4)) == file
    assert np.load(file).tolist() == [0, 1, 2]


def test_features_are_another_file_than_outputs(tmp_path: Path) -> None:
    keys = {
        replace(context(tmp_path), features=features).attempt("onnx", FP32).key
        for features in (False, True)
    }
    assert len(keys) == 2
