"""`model.pt2`: the ONNX file's network in PyTorch, with its pairs, its types and its answers."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backends.lowered_files import SIZE
from colour_networks import coloured_images, logits_of, mean_colour
from lint_models import good_model, save, set_constant
from torch import nn

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402

from edgekd.errors import ArtefactError, InputError  # noqa: E402
from edgekd.lower.backends import get_backend  # noqa: E402
from edgekd.lower.backends.tensorrt.program import (  # noqa: E402
    PAIRS,
    load_program,
    pairs_of,
    program_of,
    save_program,
)
from edgekd.models.simulated_int8 import fake_quantised_weight  # noqa: E402


def answers(program: Any, images: np.ndarray) -> np.ndarray:
    network = program.module()
    with torch.no_grad():
        rows = [network(torch.from_numpy(image[None])).numpy() for image in images]
    return np.concatenate(rows)


def answers_of_onnx(file: Path, images: np.ndarray) -> np.ndarray:
    """As the file says, node by node: no fusing into integer kernels."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        file.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    return np.concatenate([session.run(None, {"image": image[None]})[0] for image in images])


def operators(file: Path) -> list[str]:
    return [node.op_type for node in onnx.load(file).graph.node]


# ---- the same network ----


@pytest.mark.parametrize("precision", get_backend("tensorrt").precisions)
def test_the_program_answers_as_its_file(precision: str, lowered: Any, student: Any) -> None:
    file = lowered("tensorrt", precision) / "model.onnx"
    expected = answers_of_onnx(file, student.images)
    difference = np.abs(answers(program_of(file), student.images) - expected).max()
    # int8: a value half-way between two steps may fall on the other side
    limits = {"fp32": 1e-4, "fp16": 2e-2}
    assert difference <= limits.get(precision, 5e-2) * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("precision", get_backend("tensorrt").precisions)
def test_pairs_are_those_of_the_file(precision: str, lowered: Any) -> None:
    file = lowered("tensorrt", precision) / "model.onnx"
    count = pairs_of(program_of(file))
    assert count == operators(file).count("DequantizeLinear")
    assert (count > 8) == precision.startswith("int8")


def test_int8_program_computes_simulated_int8(lowered: Any, student: Any) -> None:
    """The same rounding, written for the student's own modules: weights by simulated int8."""
    file = lowered("tensorrt", "int8") / "model.onnx"
    reference = reference_of(student.graph, scales_of(file))
    with torch.no_grad():
        expected = reference(torch.from_numpy(student.images)).numpy()
    found = answers(program_of(file), student.images)
    assert np.abs(found - expected).max() <= 0.02 * np.abs(expected).max()
    assert np.abs(found - student.logits).max() > 0  # and not that of the float student


def scales_of(file: Path) -> dict[tuple[str, int], float]:
    """The scale of each activation's pair, by its reader and the reader's input."""
    graph = onnx.load(file).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    given = {output: node for node in graph.node for output in node.output}
    pairs = {}
    for node in graph.node:
        for index, name in enumerate(node.input):
            last = given.get(name)
            if last is not None and last.op_type == "DequantizeLinear" and last.input[0] in given:
                pairs[node.name, index] = float(arrays[last.input[1]])
    return pairs


def reference_of(graph: Any, scales: dict[tuple[str, int], float]) -> Callable[..., Any]:
    """The fixture's `Tiny` with folded batch norms, in int8 by hand."""
    network = graph.network

    def rounded(features: Any, reader: str, index: int = 0) -> Any:
        scale = scales[reader, index]
        return torch.fake_quantize_per_tensor_affine(features, scale, 0, -128, 127)

    def layer(features: Any, name: str) -> Any:
        parent, number = name.rsplit(".", 1)
        siblings = network.get_submodule(parent)
        fused = torch.nn.utils.fuse_conv_bn_eval(siblings[int(number)], siblings[int(number) + 1])
        fused.weight = nn.Parameter(fake_quantised_weight(fused.weight.detach()))
        return fused(rounded(features, name))

    def forward(images: Any) -> Any:
        features = torch.clamp(layer(graph.normalise(images), "stem.0"), 0, 6)
        for block in ("blocks.0", "blocks.1"):
            inner = torch.clamp(layer(features, f"{block}.body.0"), 0, 6)
            inner = layer(inner, f"{block}.body.3")
            add = next(reader for reader, _ in scales if reader.startswith(f"{block}/"))
            features = rounded(features, add, 0) + rounded(inner, add, 1)
        head = network.head[2]
        pooled = rounded(features.mean((2, 3)), "head.2")
        return nn.functional.linear(pooled, fake_quantised_weight(head.weight), head.bias)

    return forward


def test_types_change_where_the_file_changes_them(lowered: Any) -> None:
    program = program_of(lowered("tensorrt", "fp16") / "model.onnx")
    layers = [node for node in program.graph.nodes if "conv" in str(node.target)]
    assert len(layers) == 5
    assert {node.meta["val"].dtype for node in layers} == {torch.float16}
    (result,) = next(node for node in program.graph.nodes if node.op == "output").args[0]
    assert result.meta["val"].dtype == torch.float32


def test_a_file_of_an_older_opset(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(mean_colour(hidden=2))
    images, _ = coloured_images(3)
    found = answers(program_of(tmp_path / "model.onnx"), images)
    np.testing.assert_allclose(found, logits_of(images), atol=1e-4)


# ---- the file ----


@pytest.fixture
def file(lowered: Any, tmp_path: Path) -> Path:
    saved = tmp_path / "model.pt2"
    save_program(program_of(lowered("tensorrt", "int8") / "model.onnx"), saved)
    return saved


def test_what_is_read_is_what_was_written(file: Path, lowered: Any, student: Any) -> None:
    program = load_program(file)
    before = program_of(lowered("tensorrt", "int8") / "model.onnx")
    assert pairs_of(program) == pairs_of(before) > 0
    images = student.images[:2]
    np.testing.assert_array_equal(answers(program, images), answers(before, images))
    (image,) = program.graph_signature.user_inputs
    assert image == "image"
    assert tuple(program.example_inputs[0][0].shape) == (1, SIZE, SIZE, 3)


def test_it_tells_nothing_of_this_machine(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert str(Path(__file__).parent).encode() not in content
    assert b"site-packages" not in content
    assert b".py" not in content


def rewritten(file: Path, change: Callable[[str, bytes], bytes], **more: bytes) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    prefix = next(iter(members)).partition("/")[0]
    members = {name: change(name, content) for name, content in members.items()}
    members |= {f"{prefix}/{name}": content for name, content in more.items()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


class Hostile:
    """What a pickle may do."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("foreign code ran",))


def hostile() -> bytes:
    stream = io.BytesIO()
    torch.save((Hostile(),), stream)
    return stream.getvalue()


def as_pickle(name: str, content: bytes) -> bytes:
    if not name.endswith("weights_config.json"):
        return content
    table = json.loads(content)
    for entry in table["config"].values():
        entry["use_pickle"] = True
    return json.dumps(table).encode()


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (lambda name, raw: hostile() if "/sample_inputs/" in name else raw, {}),
        (lambda name, raw: raw, {"data/constants/opaque_obj_0": pickle.dumps(Hostile())}),
        (lambda name, raw: raw, {"data/weights/model.pt": hostile()}),
        (as_pickle, {}),
    ],
    ids=["sample", "object", "old weights", "weights"],
)
def test_foreign_code_is_not_run(
    file: Path, change: Callable[[str, bytes], bytes], more: dict[str, bytes]
) -> None:
    rewritten(file, change, **more)
    with pytest.raises(ArtefactError, match=r"could run foreign code|cannot read model\.pt2"):
        load_program(file)


def test_damaged_programs(file: Path) -> None:
    whole = file.read_bytes()
    for content in (b"no archive", whole[: len(whole) // 2]):
        file.write_bytes(content)
        with pytest.raises(ArtefactError, match=r"cannot read model\.pt2") as caught:
            load_program(file)
        assert "leave --via out" in caught.value.hint
    with pytest.raises(ArtefactError):
        load_program(file.with_name("missing.pt2"))


# ---- what is refused ----


def test_operators_without_a_translation_are_named(tmp_path: Path) -> None:
    model = good_model()
    model.graph.node[-1].op_type = "ReduceLogSumExp"
    with pytest.raises(InputError, match="no translation to PyTorch of ReduceLogSumExp") as caught:
        program_of(save(model, tmp_path))
    assert "leave --via out" in caught.value.hint


def test_a_shape_that_is_computed(tmp_path: Path) -> None:
    model = good_model()
    node = model.graph.node[-1]
    cast = helper.make_node("Cast", ["image"], ["computed"], "computed", to=7)
    model.graph.node.insert(0, cast)
    node.input[1] = "computed"
    with pytest.raises(InputError, match=r"node 'mean' \(ReduceMean\) reads computed"):
        program_of(save(model, tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("zero", np.int8(3), "is asymmetric"),
        ("scale", np.ones(3, np.float32), "has 3 scales for an activation"),
    ],
)
def test_pairs_that_are_none(name: str, value: Any, reason: str, tmp_path: Path) -> None:
    model = good_model()
    set_constant(model, name, value)
    with pytest.raises(InputError, match=rf"node 'quantise' \(QuantizeLinear\) {reason}"):
        program_of(save(model, tmp_path))


def test_pairs_have_an_operator_each() -> None:
    assert len({str(pair) for pair in PAIRS}) == 2
