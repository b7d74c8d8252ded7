"""Each backend's real files answer as the student does."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.errors import InputError, MissingDependencyError
from edgekd.lower import backends
from edgekd.lower.backends import Backend, backend_names, get_backend
from edgekd.lower.backends.base import missing_tool
from edgekd.lower.onnx_lint import check_onnx
from edgekd.runtime.sessions import open_session

SIZE, CLASSES = 32, 4  # as the fixture `student` is made
pytestmark = pytest.mark.filterwarnings(
    # AI Edge Quantizer calibrates in LiteRT's debug mode, which says so.
    "ignore:Warning. Enabling .experimental_preserve_all_tensors.:UserWarning"
)

BUILT_IN = ("openvino", "tensorrt", "tflite")


@pytest.fixture(scope="session")
def lowered(student: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder of a backend and precision; each conversion runs once."""
    done: dict[tuple[str, str], Path] = {}

    def lower(name: str, precision: str) -> Path:
        if (name, precision) not in done:
            out = tmp_path_factory.mktemp(f"{name}-{precision}")
            get_backend(name).lower(student.graph, SIZE, precision, student.calibration, out)
            done[name, precision] = out
        return done[name, precision]

    return lower


def answers(name: str, folder: Path, student: Any) -> tuple[np.ndarray, dict[str, Any]]:
    backend = get_backend(name)
    session = open_session(backend.host_session, folder / backend.model_file, threads=1)
    assert session.input_shape == (1, SIZE, SIZE, 3)
    assert session.classes == CLASSES
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


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_onnx_keeps_tensorrts_rules(precision: str, lowered: Any) -> None:
    assert check_onnx(lowered("tensorrt", precision) / "model.onnx") == []


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
    assert backend.precisions == ("fp32", "int8")
    assert backend.completion == ("finish-on-device" if name == "tensorrt" else "complete")


@pytest.mark.parametrize("name", BUILT_IN)
def test_requests_that_cannot_be_met(name: str, student: Any, tmp_path: Path) -> None:
    backend = get_backend(name)
    with pytest.raises(InputError, match="does not lower to 'fp4'"):
        backend.lower(student.graph, SIZE, "fp4", None, tmp_path)
    with pytest.raises(InputError, match="needs calibration images"):
        backend.lower(student.graph, SIZE, "int8", None, tmp_path)
    with pytest.raises(InputError, match="not uint8"):
        backend.lower(student.graph, SIZE, "int8", student.calibration[:, :-1], tmp_path)
    assert not list(tmp_path.iterdir())


def test_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="'coreml'") as caught:
        get_backend("coreml")
    assert "openvino, tensorrt, tflite" in caught.value.hint


def test_third_party_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("mine", "edgekd.lower.backends.tflite:TfliteBackend", "edgekd.backends")
    monkeypatch.setattr(backends, "entry_points", lambda group: EntryPoints([entry]))
    assert "mine" in backend_names()
    assert get_backend("mine").model_file == "model.tflite"


def test_missing_tool_says_what_to_install() -> None:
    error = missing_tool(ImportError("no", name="litert_torch.convert"), "lower")
    assert isinstance(error, MissingDependencyError)
    assert (error.package, error.extra) == ("litert-torch", "lower")
