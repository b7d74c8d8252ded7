"""Each backend's real files answer as the student does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.extensions.engines.tflite import BACKEND
from edgekd.lower.backends import Backend, backend_names, get_backend
from edgekd.lower.backends.base import UnconvertibleError, missing_tool
from edgekd.lower.backends.tensorrt.lint import check_onnx
from edgekd.lower.graph import deploy_graph
from edgekd.lower.precision import CALIBRATED, LADDER, Variant
from edgekd.runtime.sessions import open_session

SIZE, CLASSES = 32, 4  # as the fixture `student` is made
pytestmark = [
    # AI Edge Quantizer calibrates in LiteRT's debug mode, which says so.
    pytest.mark.filterwarnings(
        "ignore:Warning. Enabling .experimental_preserve_all_tensors.:UserWarning"
    ),
    # torchao, where it was installed without being compiled.
    pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning"),
]

BUILT_IN = ("onnx", "openvino", "tensorrt", "tflite")
FROM_ONNX = ("onnx", "openvino", "tensorrt")
FLOAT_LAYERS = ("stem.0", "blocks.1.body.0", "head.2")
"""A convolution, a depthwise one and a linear layer of the fixture `student`."""

ALL = [(name, precision) for name in FROM_ONNX for precision in get_backend(name).precisions]


def variant(precision: str) -> Variant:
    layers = FLOAT_LAYERS if precision == "int8-mixed" else ()
    return Variant(precision=precision, float_layers=layers)


@pytest.fixture(scope="session")
def lowered(student: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder of a backend and precision; each conversion runs once."""
    done: dict[tuple[str, str], Path] = {}

    def lower(name: str, precision: str) -> Path:
        if (name, precision) not in done:
            out = tmp_path_factory.mktemp(f"{name}-{precision}")
            wanted = variant(precision)
            get_backend(name).lower(student.graph, SIZE, wanted, student.calibration, out)
            done[name, precision] = out
        return done[name, precision]

    return lower


def answers(name: str, folder: Path, student: Any) -> tuple[np.ndarray, dict[str, Any]]:
    backend = get_backend(name)
    session = open_session(backend.host_session, folder / backend.model_file, threads=1)
    assert session.input_shape == (1, SIZE, SIZE, 3)
    assert session.output_shape == (1, CLASSES)
    logits = np.concatenate([session.run(image[None]) for image in student.images])
    assert logits.dtype == np.float32
    return logits, session.facts


@pytest.mark.parametrize("name", BUILT_IN)
def test_fp32_is_the_student(name: str, lowered: Any, student: Any) -> None:
    logits, _ = answers(name, lowered(name, "fp32"), student)
    assert np.abs(logits - student.logits).max() < 1e-3 * student.logits.std()


@pytest.mark.parametrize("name", BUILT_IN)
def test_int8_agrees_with_the_student(name: str, lowered: Any, student: Any) -> None:
    logits, _ = answers(name, lowered(name, "int8"), student)
    centre = student.logits.mean(0)
    correlation = np.corrcoef((logits - centre).ravel(), (student.logits - centre).ravel())[0, 1]
    assert correlation > 0.99
    assert (logits.argmax(1) == student.logits.argmax(1)).mean() >= 0.95
    assert np.abs(logits - student.logits).max() > 0  # it is not the fp32 file


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_tflite_is_one_partition_without_transposes(
    precision: str, lowered: Any, student: Any
) -> None:
    folder = lowered("tflite", precision)
    _, facts = answers("tflite", folder, student)
    assert facts["xnnpack_partitions"] == 1
    counts = tflite_operators(folder / "model.tflite")
    assert counts["TRANSPOSE"] == 0
    assert counts["CAST"] == 1
    # One way into int8 and one out of it: the normalisation before stays float.
    assert counts["QUANTIZE"] == counts["DEQUANTIZE"] == (precision == "int8")


def tflite_operators(file: Path) -> Counter[str]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(file),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    return Counter(operator["op_name"] for operator in interpreter._get_ops_details())


def test_tflite_normalises_before_it_quantises(lowered: Any) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(lowered("tflite", "int8") / "model.tflite"))
    names = [operator["op_name"] for operator in interpreter._get_ops_details()]
    assert names[:4] == ["CAST", "MUL", "ADD", "QUANTIZE"]


@pytest.mark.parametrize(("name", "precision"), ALL)
def test_every_precision_agrees_with_the_student(
    name: str, precision: str, lowered: Any, student: Any
) -> None:
    logits, _ = answers(name, lowered(name, precision), student)
    apart = np.abs(logits - student.logits).max() / student.logits.std()
    allowed = {"fp32": 1e-3, "fp16": 2e-2}.get(precision, 0.5)
    assert apart < allowed
    assert (logits.argmax(1) == student.logits.argmax(1)).mean() >= 0.95


@pytest.mark.parametrize("name", FROM_ONNX)
def test_float_layers_bring_int8_closer(name: str, lowered: Any, student: Any) -> None:
    apart = {
        precision: np.abs(answers(name, lowered(name, precision), student)[0] - student.logits)
        for precision in sorted(CALIBRATED)
    }
    assert apart["int8-mixed"].mean() < apart["int8"].mean()


@pytest.mark.parametrize("name", FROM_ONNX)
def test_bolder_precisions_have_smaller_weights(name: str, lowered: Any) -> None:
    stored = [
        weight_bytes(lowered(name, precision) / get_backend(name).model_file)
        for precision in LADDER
        if precision in get_backend(name).precisions
    ]
    # int8-mixed keeps 3 of 6 layers in float: it may be larger than fp16.
    assert stored[0] == min(stored)
    assert stored[-1] == max(stored)
    assert len(set(stored)) == len(stored)


def weight_bytes(file: Path) -> int:
    """Bytes of all constants of more than one value per channel: the weights."""
    if file.suffix == ".xml":
        return file.with_suffix(".bin").stat().st_size
    import onnx
    from onnx import numpy_helper

    tensors = onnx.load(file).graph.initializer
    return sum(numpy_helper.to_array(tensor).nbytes for tensor in tensors if len(tensor.dims) > 1)


@pytest.mark.parametrize("precision", sorted(CALIBRATED))
def test_exactly_the_named_layers_are_float_in_openvino(precision: str, lowered: Any) -> None:
    import openvino

    folder = lowered("openvino", precision)
    model = openvino.Core().read_model(folder / "model.xml")
    kinds = ("Convolution", "GroupConvolution", "MatMul")
    weighted = [one for one in model.get_ordered_ops() if one.get_type_name() in kinds]
    found = [(rounded(one.input_value(0)), int8_constant(one.input_value(1))) for one in weighted]
    assert found == [(not is_float,) * 2 for is_float in float_in_order(precision)]


def float_in_order(precision: str) -> list[bool]:
    """Which of the fixture's layers, from image to logits, are to stay float."""
    blocks = [f"blocks.{block}.body.{layer}" for block in (0, 1) for layer in (0, 3)]
    layers = ["stem.0", *blocks, "head.2"]
    return [precision == "int8-mixed" and layer in FLOAT_LAYERS for layer in layers]


def rounded(port: Any) -> bool:
    """Whether a FakeQuantize gives the activations, behind operations that only move values."""
    kind = port.get_node().get_type_name()
    if kind in ("Gather", "Reshape", "Squeeze"):
        return rounded(port.get_node().input_value(0))
    return kind == "FakeQuantize"


def int8_constant(port: Any) -> bool:
    """Whether the weights are an int8 constant, behind what turns it into float."""
    node = port.get_node()
    if node.get_type_name() == "Constant":
        return str(node.get_element_type()) == "<Type: 'int8_t'>"
    return int8_constant(node.input_value(0))


@pytest.mark.parametrize("precision", sorted(CALIBRATED))
def test_exactly_the_named_layers_are_float_for_tensorrt(precision: str, lowered: Any) -> None:
    for is_float, sources in zip(
        float_in_order(precision), weighted_sources(lowered("tensorrt", precision)), strict=True
    ):
        assert [source == "DequantizeLinear" for source in sources] == [not is_float] * 2


@pytest.mark.parametrize("precision", sorted(CALIBRATED))
def test_exactly_the_named_layers_have_float_weights_in_onnx(precision: str, lowered: Any) -> None:
    found = weighted_sources(lowered("onnx", precision))
    weights = [weight == "DequantizeLinear" for _, weight in found]
    assert weights == [not is_float for is_float in float_in_order(precision)]


def weighted_sources(folder: Path) -> list[list[str]]:
    """What gives each weighted layer its activations and its weights: operators, or nothing."""
    import onnx

    graph = onnx.load(folder / "model.onnx").graph
    producer = {output: node.op_type for node in graph.node for output in node.output}
    weighted = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    return [[producer.get(name, "") for name in node.input[:2]] for node in weighted]


def test_onnx_runs_whole_in_integers(lowered: Any, tmp_path: Path) -> None:
    """ONNX Runtime makes integer operators of all that lies between stem and head."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    file = str(lowered("onnx", "int8") / "model.onnx")
    onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    counts = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert (counts["QLinearConv"], counts["QLinearAdd"], counts["QGemm"]) == (5, 2, 1)
    assert counts["Conv"] == counts["Gemm"] == 0


def test_onnx_weights_cannot_saturate_sixteen_bits(lowered: Any) -> None:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(lowered("onnx", "int8") / "model.onnx").graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = [array for name, array in stored.items() if name.endswith(".weight_quantized")]
    assert len(weights) == 6
    assert {weight.dtype for weight in weights} == {np.dtype(np.int8)}
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) == 64


@pytest.mark.parametrize("name", FROM_ONNX)
def test_layers_that_are_not_there(name: str, student: Any, tmp_path: Path) -> None:
    wanted = Variant(precision="int8-mixed", float_layers=("stem.0", "blocks.7"))
    with pytest.raises(InputError, match=r"layer 'blocks\.7'"):
        get_backend(name).lower(student.graph, SIZE, wanted, student.calibration, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FROM_ONNX)
def test_ranges_are_of_these_images_and_this_graph(
    name: str, lowered: Any, student: Any, tmp_path: Path
) -> None:
    """Darker images, or another network, give another file; the first ones give the first."""
    from edgekd.lower.graph import deploy_graph

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
    from edgekd.lower.backends import _onnx_quantise
    from edgekd.lower.onnx_export import export_onnx

    def lower(name: str, precision: str) -> None:
        get_backend(name).lower(
            student.graph, SIZE, variant(precision), student.calibration, tmp_path
        )

    lower("tensorrt", "int8")
    before = export_onnx.cache_info().misses, _onnx_quantise.tensor_ranges.cache_info().misses
    for name in ("tensorrt", "onnx"):
        lower(name, "int8-mixed")
        lower(name, "int8")
    after = export_onnx.cache_info().misses, _onnx_quantise.tensor_ranges.cache_info().misses
    assert before == after


@pytest.mark.parametrize("precision", get_backend("tensorrt").precisions)
def test_onnx_keeps_tensorrts_rules(precision: str, lowered: Any) -> None:
    assert check_onnx(lowered("tensorrt", precision) / "model.onnx") == []


def test_half_precision_starts_behind_the_normalisation(lowered: Any) -> None:
    import onnx
    from onnx import TensorProto

    graph = onnx.load(lowered("tensorrt", "fp16") / "model.onnx").graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        float_inputs = {kinds[name] for name in node.input if name in kinds} - {TensorProto.INT64}
        if node.name.startswith("normalisation/"):
            assert float_inputs <= {TensorProto.FLOAT}
        else:
            assert float_inputs <= {TensorProto.FLOAT16}
    casts = [node for node in graph.node if node.op_type == "Cast"]
    assert [node.attribute[0].i for node in casts] == [
        TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.FLOAT,
    ]  # fmt: skip


@pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="pip install 'edgekd[tensorrt-check]'",
)
@pytest.mark.parametrize("precision", get_backend("tensorrt").precisions)
def test_tensorrt_builds_every_precision(precision: str, lowered: Any, tmp_path: Path) -> None:
    from edgekd.lower.backends.tensorrt.builder import build_engine
    from edgekd.lower.backends.tensorrt.library import load_tensorrt_rtx

    report = build_engine(
        lowered("tensorrt", precision) / "model.onnx",
        tmp_path / "model.engine",
        trt=load_tensorrt_rtx(),
        workspace_bytes=1 << 28,
        compute_capabilities=("SM86", "SM89"),
    )
    assert report.bytes > 10_000


def test_onnx_is_quantised_where_tensorrt_fuses(lowered: Any) -> None:
    import onnx

    graph = onnx.load(lowered("tensorrt", "int8") / "model.onnx").graph
    producer = {output: node for node in graph.node for output in node.output}
    weighted = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(weighted) == 6
    for node in weighted:
        assert [producer[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
    relus = [node for node in graph.node if node.op_type == "Clip"]
    assert [producer[node.input[0]].op_type for node in relus] == ["Conv"] * 3
    assert graph.output[0].name in weighted[-1].output  # the logits stay float


def test_onnx_tells_nothing_of_this_machine(lowered: Any) -> None:
    content = (lowered("tensorrt", "fp32") / "model.onnx").read_bytes()
    assert str(Path(__file__).parent).encode() not in content
    assert b"site-packages" not in content


def test_openvino_names_and_files(lowered: Any) -> None:
    import openvino

    folder = lowered("openvino", "fp32")
    assert sorted(file.name for file in folder.iterdir()) == ["model.bin", "model.xml"]
    model = openvino.Core().read_model(folder / "model.xml")
    assert (model.input("image").get_index(), model.output("logits").get_index()) == (0, 0)


@pytest.mark.parametrize("name", BUILT_IN)
def test_backend_describes_itself(name: str) -> None:
    backend = get_backend(name)
    assert isinstance(backend, Backend)
    assert backend.name == name
    assert {"fp32", "int8"} <= set(backend.precisions) <= set(LADDER)
    assert backend.completion == ("finish-on-device" if name == "tensorrt" else "complete")


def test_onnx_warns_of_activations_that_make_int8_slow(student: Any) -> None:
    from torch import nn

    backend = get_backend("onnx")
    assert backend.concerns(student.network) == ()
    (said,) = backend.concerns(nn.Sequential(student.network, nn.Hardswish()))
    assert "hard-swish" in said
    assert get_backend("tensorrt").concerns(nn.Hardswish()) == ()


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


def test_third_partys_backend_that_is_none_is_told_with_its_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value, kind, message in (
        ("no_such_module:Backend", MissingDependencyError, "No module named 'no_such_module'"),
        ("edgekd.lower.backends.tflite:NoBackend", ArtefactError, "AttributeError"),
        ("pathlib:Path", ArtefactError, "is a type, which it cannot be"),
        (f"{__name__}:OTHER", ArtefactError, "is described as other"),
        (f"{__name__}:UNFIT", ArtefactError, "the lowering of the backend mine .* cannot be"),
    ):
        entry = EntryPoint("mine", value, "edgekd.backends")
        monkeypatch.setattr(metadata, "entry_points", lambda group, e=entry: EntryPoints([e]))
        with pytest.raises(kind, match=message) as caught:
            get_backend("mine")
        assert value in caught.value.message


def test_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="'coreml'") as caught:
        get_backend("coreml")
    assert "onnx, openvino, tensorrt, tflite" in caught.value.hint


MINE = replace(BACKEND, name="mine")
OTHER = replace(BACKEND, name="other")
UNFIT = replace(MINE, lowering="pathlib:Path")


def test_third_party_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("mine", f"{__name__}:MINE", "edgekd.backends")
    monkeypatch.setattr(metadata, "entry_points", lambda group: EntryPoints([entry]))
    assert "mine" in backend_names()
    assert get_backend("mine").model_file == "model.tflite"


def test_missing_tool_says_what_to_install() -> None:
    error = missing_tool(ImportError("no", name="litert_torch.convert"), "lower")
    assert isinstance(error, MissingDependencyError)
    assert (error.package, error.extra) == ("litert-torch", "lower")
