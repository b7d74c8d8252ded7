"""The first layer stays in float in int8 files, in those that a build makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from cards import CLASSES, SIZE, make_card

from edgekd.lower.graph import deploy_graph
from edgekd.lower.int8.stem import stem_of, with_float_stem
from edgekd.lower.jobs.conversion import ConversionJob
from edgekd.lower.jobs.worker import run_job
from edgekd.lower.precision import Variant
from edgekd.models import create_network, save_checkpoint


@pytest.mark.parametrize(
    ("arch", "stem"),
    [
        ("mobilenetv2_035", "conv_stem"),
        ("resnet10t", "conv1.0"),
        ("mobilenetv3_small_050", "conv_stem"),
    ],
)
def test_stem_is_what_is_computed_first(arch: str, stem: str) -> None:
    graph = deploy_graph(create_network(arch, 3), (0.5,) * 3, (0.5,) * 3)
    assert stem_of(graph, SIZE) == stem


def test_only_int8_activations_spare_it() -> None:
    mixed = Variant(precision="int8-mixed", float_layers=("head",))
    assert with_float_stem(mixed, "stem").float_layers == ("stem", "head")
    assert with_float_stem(Variant(precision="int8"), "stem").float_layers == ("stem",)
    for precision in ("fp32", "fp16", "int8-weights"):
        assert with_float_stem(Variant(precision=precision), "stem").float_layers == ()
    assert with_float_stem(mixed, "head") == mixed
    assert with_float_stem(mixed, None) == mixed


def test_the_worker_spares_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "student", create_network("mobilenetv2_035", 3), make_card())
    images = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    job = ConversionJob(
        backend="tensorrt",
        variants=(Variant(precision="int8"),),
        checkpoint=str(tmp_path / "student"),
        out=str(tmp_path / "out"),
        calibration=str(tmp_path / "images.npy"),
    )
    run_job(job)
    graph = onnx.load(tmp_path / "out" / "int8" / "model.onnx").graph
    producer = {output: node.op_type for node in graph.node for output in node.output}
    weighted = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    in_float = [n.name for n in weighted if producer.get(n.input[0]) != "DequantizeLinear"]
    assert in_float == ["conv_stem"]
    assert len(weighted) > 40
    assert len(CLASSES) == 3
