"""The TensorRT check: real students pass, planted faults are refused with their node's name."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from wheelless import make_python

from edgekd.bundle import EngineCheck
from edgekd.errors import InputError
from edgekd.lower.backends.tensorrt.check import CAPABILITIES, LINT, check_engine, checker_versions
from edgekd.lower.precision import Variant

HERE = find_spec("tensorrt_rtx_bindings") is not None
needs_rtx = pytest.mark.skipif(not HERE, reason="pip install 'edgekd[tensorrt-check]'")

SIZE = 64
RESIDUAL_SUMS = {
    "resnet10t": 4, "mobilenetv2_050": 10, "tf_mobilenetv3_small_minimal_100": 6,
    "efficientnet_lite0": 9,
}  # fmt: skip
FAMILIES = tuple(RESIDUAL_SUMS)
PRECISIONS = ("fp32", "fp16", "int8")
QUICK = {"mobilenetv2_050": PRECISIONS, "resnet10t": ("int8",)}
"""Families and precisions that run always; the others are of the same kinds."""
STUDENTS = [
    pytest.param(*case, marks=() if case[1] in QUICK.get(case[0], ()) else pytest.mark.slow)
    for case in itertools.product(FAMILIES, PRECISIONS)
]

Change = Callable[[onnx.ModelProto], None]


# ---- students ----


@needs_rtx
@pytest.mark.parametrize(("arch", "precision"), STUDENTS)
def test_students_pass(
    arch: str, precision: str, lowered_student: Callable[[str, str], Path]
) -> None:
    check = check_engine(lowered_student(arch, precision))
    assert check.status == "passed", check.findings
    assert {"SM86", "SM89"} <= set(check.capabilities)
    assert check.by.startswith("TensorRT-RTX 1.")
    assert check.summary == f"passed by {check.by} for {', '.join(check.capabilities)}"


@pytest.mark.parametrize(
    "arch",
    [pytest.param(arch, marks=() if arch in QUICK else pytest.mark.slow) for arch in FAMILIES],
)
def test_inputs_of_residual_sums_are_quantised(
    arch: str, lowered_student: Callable[[str, str], Path]
) -> None:
    """A branch that stays float would make TensorRT add in float, behind the convolution."""
    graph = onnx.load(lowered_student(arch, "int8")).graph
    giver = {output: node.op_type for node in graph.node for output in node.output}
    sums = [
        [giver[name] for name in node.input]
        for node in graph.node
        if node.op_type == "Add" and all(name in giver for name in node.input)
    ]
    assert sums == [["DequantizeLinear"] * 2] * RESIDUAL_SUMS[arch]


@needs_rtx
def test_a_student_with_gelu_passes_in_int8(tmp_path: Path) -> None:
    """The exporter writes 1 + erf, and TensorRT refuses a scalar in int8."""
    from torch import nn

    from edgekd.lower.backends import get_backend
    from edgekd.lower.graph import deploy_graph

    layers = [nn.Conv2d(3, 8, 3), nn.GELU(), nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1)]
    graph = deploy_graph(nn.Sequential(*layers, nn.Flatten()), (0.5,) * 3, (0.2,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3)).astype(np.uint8)
    get_backend("tensorrt").lower(graph, SIZE, Variant(precision="int8"), images, tmp_path)
    kinds = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert {"Erf", "QuantizeLinear"} <= kinds
    check = check_engine(tmp_path / "model.onnx")
    assert check.status == "passed", check.findings


# ---- planted faults ----


def planted(model: onnx.ModelProto, folder: Path) -> Path:
    file = folder / "planted.onnx"
    onnx.save(model, file)
    return file


def copied(file: Path) -> onnx.ModelProto:
    return onnx.load(file)


def transposed_first(model: onnx.ModelProto) -> None:
    """The layout change takes the image itself, which ONNX Runtime does not mind."""
    cast, layout = model.graph.node[0], model.graph.node[1]
    assert (cast.op_type, layout.op_type) == ("Cast", "Transpose")
    between, last = cast.output[0], layout.output[0]
    layout.input[0], layout.output[0] = "image", between
    cast.input[0], cast.output[0] = between, last
    first = onnx.NodeProto.FromString(layout.SerializeToString())
    del model.graph.node[1], model.graph.value_info[:]
    model.graph.node.insert(0, first)


def asymmetric(model: onnx.ModelProto) -> None:
    """The zero point of the first pair of an activation is not 0."""
    weights = {tensor.name for tensor in model.graph.initializer}
    pair = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    assert pair.input[0] not in weights
    zero = numpy_helper.from_array(np.int8(-3), "planted zero")
    model.graph.initializer.append(zero)
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            reads = node.input[0] in (pair.input[0], pair.output[0])
            node.input[2] = zero.name if reads else node.input[2]


def unsupported(model: onnx.ModelProto) -> None:
    """The determinant of the logits: ONNX Runtime knows it."""
    last = model.graph.node[-1]
    last.output[0] = "before"
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 7, 1, 1]), "apart"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 7]), "together"))
    model.graph.node.extend([
        helper.make_node("Reshape", ["before", "apart"], ["cells"], "apart"),
        helper.make_node("Det", ["cells"], ["determinants"], "determinant"),
        helper.make_node("Reshape", ["determinants", "together"], ["logits"], "together"),
    ])  # fmt: skip


@needs_rtx
@pytest.mark.parametrize(
    ("change", "precision", "node"),
    [
        (transposed_first, "fp32", "node 'normalisation/Transpose' (Transpose) takes the uint8"),
        (transposed_first, "fp16", "node 'normalisation/Transpose' (Transpose) takes the uint8"),
        (asymmetric, "int8", "QuantizeLinear' (QuantizeLinear) is asymmetric"),
        (unsupported, "fp32", "node 'determinant' (Det): TensorRT lacks this operator"),
    ],
)
def test_planted_faults_are_refused(
    change: Change,
    precision: str,
    node: str,
    lowered_student: Callable[[str, str], Path],
    tmp_path: Path,
) -> None:
    import onnxruntime

    model = copied(lowered_student("mobilenetv2_050", precision))
    change(model)
    file = planted(model, tmp_path)
    # What a check by ONNX Runtime lets pass.
    onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    check = check_engine(file)
    assert check.status == "refused"
    assert check.by.startswith("TensorRT-RTX 1.")
    assert any(node in finding for finding in check.findings), check.findings


@needs_rtx
def test_what_tensorrt_itself_misreads_is_refused_by_the_rules(
    lowered_student: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """TensorRT-RTX takes an unsigned zero point, and reads int8."""
    model = copied(lowered_student("mobilenetv2_050", "int8"))
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.INT8 and not any(numpy_helper.to_array(tensor).ravel()):
            values = numpy_helper.to_array(tensor).astype(np.uint8)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    check = check_engine(planted(model, tmp_path))
    assert (check.status, check.by) == ("refused", LINT)
    assert "has uint8 values, not int8" in check.findings[0]


def test_damaged_and_missing_files_are_findings(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"\x08\x0a\xff")
    for file in (damaged, tmp_path / "absent.onnx"):
        check = check_engine(file)
        assert check.status == "refused"
        assert f"{file.name} is not a valid ONNX file" in check.findings[0]


@needs_rtx
def test_unknown_capability(lowered_student: Callable[[str, str], Path]) -> None:
    with pytest.raises(InputError, match="cannot build for SM10"):
        check_engine(lowered_student("mobilenetv2_050", "fp32"), ("SM10",))


# ---- where the library is not there, or goes down ----


def test_without_the_wheels(lowered_student: Callable[[str, str], Path], tmp_path: Path) -> None:
    python = make_python(tmp_path / "venv")
    good, bad = lowered_student("mobilenetv2_050", "fp32"), tmp_path / "absent.onnx"
    code = (
        "import sys, msgspec; from pathlib import Path; "
        "from edgekd.lower.backends.tensorrt.check import check_engine, checker_versions; "
        "assert checker_versions() == {}; "
        "checks = [check_engine(Path(file)) for file in sys.argv[1:]]; "
        "sys.stdout.buffer.write(msgspec.json.encode(checks))"
    )
    command = [str(python), "-c", code, str(good), str(bad)]
    done = subprocess.run(command, capture_output=True, check=True)
    unchecked, refused = msgspec.json.decode(done.stdout, type=list[EngineCheck])
    assert unchecked.status == "not checked"
    assert "tensorrt-rtx-cu13-bindings is not installed" in unchecked.by
    assert "pip install 'edgekd[tensorrt-check]'" in unchecked.by or "x86-64 alone" in unchecked.by
    assert unchecked.capabilities == ()
    assert unchecked.summary == f"not checked: {unchecked.by}"
    assert (refused.status, refused.by) == ("refused", LINT)


def bindings_that(line: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """A `tensorrt_rtx_bindings` whose import does something, for the process that checks."""
    (folder / "tensorrt_rtx_bindings.py").write_text(f"import os, signal\n{line}\n")
    patch.setenv("PYTHONPATH", str(folder))


@needs_rtx
def test_a_crash_of_the_library_is_a_finding(
    lowered_student: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bindings_that("os.kill(os.getpid(), signal.SIGSEGV)", tmp_path, monkeypatch)
    log = tmp_path / "logs" / "check.log"
    check = check_engine(lowered_student("mobilenetv2_050", "fp32"), log=log)
    assert check.status == "refused"
    assert check.findings == ("TensorRT-RTX: the process was ended by SIGSEGV",)
    assert check.capabilities == ()
    assert log.with_name("check.reproduce.sh").is_file()


@needs_rtx
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL (out of memory?)"),
        ("raise OSError('libcuda.so: wrong ELF class')", "cannot be loaded here: libcuda.so"),
    ],
)
def test_what_is_no_fault_of_the_file_leaves_it_unchecked(
    line: str,
    why: str,
    lowered_student: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bindings_that(line, tmp_path, monkeypatch)
    check = check_engine(lowered_student("mobilenetv2_050", "fp32"))
    assert check.status == "not checked"
    assert why in check.by


@needs_rtx
def test_versions_of_the_wheels() -> None:
    assert set(checker_versions()) == {
        "onnxruntime-ep-nv-tensorrt-rtx-cu13", "tensorrt-rtx-cu13-bindings",
    }  # fmt: skip
    assert set(CAPABILITIES) == {"SM86", "SM89"}
