"""What every backend keeps to: which requests are refused, and in which words conversions fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from backends.lowered_files import BUILT_IN, CLASSES, SIZE, variant
from edgekd.errors import InputError, MissingDependencyError
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import (
    UnconvertibleError,
    check_via,
    converting,
    missing_tool,
    reads_calibration,
    versions_of,
)
from edgekd.lower.graph import deploy_graph
from edgekd.lower.precision import CALIBRATED, Variant


@pytest.mark.parametrize("name", BUILT_IN)
def test_requests_that_cannot_be_met(name: str, student: Any, tmp_path: Path) -> None:
    backend = get_backend(name)
    with pytest.raises(InputError, match="does not lower to 'fp4'"):
        backend.lower(student.graph, SIZE, Variant(precision="fp4"), None, tmp_path)
    with pytest.raises(InputError, match="needs calibration images"):
        backend.lower(student.graph, SIZE, variant("int8"), None, tmp_path)
    with pytest.raises(InputError, match="not uint8"):
        backend.lower(student.graph, SIZE, variant("int8"), student.calibration[:, :-1], tmp_path)
    assert not list(tmp_path.iterdir())


class Unusual(nn.Module):
    """A network with an operator that no converter has."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.linalg.svdvals(image.mean(1))[:, :CLASSES]


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_network_that_cannot_be_converted_is_told_by_engine_and_operator(
    name: str, precision: str, tmp_path: Path
) -> None:
    graph = deploy_graph(Unusual(), (0.5,) * 3, (0.5,) * 3)
    images = np.zeros((4, SIZE, SIZE, 3), np.uint8)
    with pytest.raises(UnconvertibleError, match="cannot convert the network: ") as caught:
        get_backend(name).lower(graph, SIZE, Variant(precision=precision), images, tmp_path)
    assert "_linalg_svd" in caught.value.message
    assert caught.value.exit_code == 2
    assert "\\n" not in caught.value.message  # one line: no listing of a graph
    assert not list(tmp_path.iterdir())


def test_missing_tool_says_what_to_install() -> None:
    error = missing_tool(ImportError("no", name="litert_torch.convert"), "lower")
    assert isinstance(error, MissingDependencyError)
    assert (error.package, error.extra) == ("litert-torch", "lower")


@pytest.mark.parametrize("name", BUILT_IN)
def test_files_depend_on_calibration_images_where_ranges_or_scans_need_them(name: str) -> None:
    backend = get_backend(name)
    reading = {
        precision
        for precision in backend.precisions
        if reads_calibration(backend, Variant(precision=precision))
    }
    assert reading == (CALIBRATED | set(backend.scanned)) & set(backend.precisions)
    assert ("fp16" in reading) == (name == "tensorrt")


def test_a_converters_failure_is_one_line_with_its_innermost_cause_and_operator() -> None:
    failure = RuntimeError("step 2 failed")
    failure.__cause__ = ValueError("\n  no lowering\nfor torch.ops.aten.histc.default")
    with pytest.raises(UnconvertibleError) as caught, converting("Engine", "lower"):
        raise failure
    assert caught.value.message == (
        "Engine cannot convert the network: no lowering (operator aten.histc.default)"
    )


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ImportError("no", name="litert_torch.convert"), MissingDependencyError),
        (InputError("wrong", "right it"), InputError),
        (OSError("disk is full"), OSError),
        (MemoryError(), MemoryError),
    ],
)
def test_a_failure_that_is_not_the_networks_keeps_its_kind(
    failure: Exception, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught, converting("Engine", "lower"):
        raise failure
    assert not isinstance(caught.value, UnconvertibleError)


def test_versions_of_those_that_are_installed() -> None:
    versions = versions_of("numpy", "no-such-distribution-of-tests")
    assert versions == {"numpy": np.__version__}


def test_a_library_that_a_backend_does_not_build_via() -> None:
    for via in (None, "onnx-parser", "torch-tensorrt"):
        check_via(get_backend("tensorrt"), via)
    with pytest.raises(InputError, match="TensorRT builds nothing via 'tvm'") as caught:
        check_via(get_backend("tensorrt"), "tvm")
    assert caught.value.hint == "--via is one of: onnx-parser, torch-tensorrt"
    with pytest.raises(InputError, match="builds nothing via 'torch-tensorrt'") as caught:
        check_via(get_backend("tflite"), "torch-tensorrt")
    assert caught.value.hint == "leave it out"
