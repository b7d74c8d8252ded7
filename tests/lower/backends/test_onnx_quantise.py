"""Ranges and quantised files of ONNX, which the backends onnx and tensorrt share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.lowered_files import FROM_ONNX, SIZE, variant
from edgekd.lower.backends import get_backend
from edgekd.lower.backends._onnx_quantise import (
    Images,
    before_network,
    measure,
    prepared_model,
)
from edgekd.lower.graph import deploy_graph
from edgekd.lower.onnx_export import export_onnx


@pytest.mark.slow
@pytest.mark.parametrize("name", FROM_ONNX)
def test_ranges_are_of_these_images_and_this_graph(
    name: str, lowered: Any, student: Any, tmp_path: Path
) -> None:
    """Darker images, or another network, give another file; the first ones give the first."""
    first = contents(lowered(name, "int8"))
    other = deploy_graph(student.network, (0.5,) * 3, (0.1,) * 3)
    for number, (graph, images, same) in enumerate([
        (student.graph, student.calibration // 2, False),
        (other, student.calibration, False),
        (student.graph, student.calibration.copy(), True),
    ]):  # fmt: skip
        out = tmp_path / str(number)
        out.mkdir()
        get_backend(name).lower(graph, SIZE, variant("int8"), images, out)
        assert (contents(out) == first) == same


def contents(folder: Path) -> bytes:
    """The files, less OpenVINO's .xml, which says when it was made."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix != ".xml"]
    return b"".join(file.read_bytes() for file in files)


def test_variants_share_export_and_ranges(student: Any, tmp_path: Path) -> None:
    def lower(name: str, precision: str) -> None:
        get_backend(name).lower(
            student.graph, SIZE, variant(precision), student.calibration, tmp_path
        )

    lower("tensorrt", "int8")
    before = export_onnx.cache_info().misses, measure.cache_info().misses
    for name in ("tensorrt", "onnx"):
        lower(name, "int8-mixed")
        lower(name, "int8")
    after = export_onnx.cache_info().misses, measure.cache_info().misses
    assert before == after


def test_ranges_are_the_extremes_of_all_float_tensors(student: Any) -> None:
    ranges = measure(student.graph, SIZE, Images(student.images)).ranges
    least, greatest = ranges["logits"]
    assert least == pytest.approx(student.logits.min(), abs=1e-4)
    assert greatest == pytest.approx(student.logits.max(), abs=1e-4)
    clips = [n for n in prepared_model(student.graph, SIZE).graph.node if n.op_type == "Clip"]
    assert len(clips) == 3
    for clip in clips:  # its input gets the range of its output
        assert ranges[clip.input[0]] == ranges[clip.output[0]]
        assert 0 <= ranges[clip.output[0]][0] <= ranges[clip.output[0]][1] <= 6


def test_nodes_before_the_network_are_the_cast_and_the_normalisation(student: Any) -> None:
    model = prepared_model(student.graph, SIZE)
    before = before_network(model)
    kinds = [node.op_type for node in model.graph.node if node.name in before]
    assert kinds[0] == "Cast"
    assert {"Mul", "Add"} <= set(kinds) or {"Sub", "Div"} <= set(kinds)
    assert not {"Conv", "Gemm", "Clip"} & set(kinds)
    assert all(node.name for node in model.graph.node)


def test_images_are_equal_where_all_their_pixels_are(student: Any) -> None:
    images = Images(student.calibration)
    assert images == Images(student.calibration.copy())
    assert hash(images) == hash(Images(student.calibration.copy()))
    assert images != Images(student.calibration[::-1])
    assert images != student.calibration.tolist()
