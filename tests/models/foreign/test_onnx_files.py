from __future__ import annotations

import copy
import pickle
from pathlib import Path

import onnx
import pytest
import torch
from colours import colours_network
from model_files import write_onnx
from onnx import TensorProto, helper

from edgekd.errors import InputError
from edgekd.models.foreign.onnx_files import OnnxNetwork


def test_it_gives_what_the_network_gives(tmp_path: Path) -> None:
    network, images = OnnxNetwork(write_onnx(tmp_path / "a.onnx")), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        expected = colours_network()(images)
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert twin(images).equal(network(images))
    assert network.state_dict() == {}


def simple(file: Path, given: tuple[int, list[int]], made: tuple[int, list[int]]) -> Path:
    """A network of one cast."""
    ends = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, (kind, shape) in (("x", given), ("y", made))
    ]
    cast = helper.make_node("Cast", ["x"], ["y"], to=made[0])
    graph = helper.make_graph([cast], "g", ends[:1], ends[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file
    )
    return file


def test_an_input_of_bytes_is_given_rounded_pixels(tmp_path: Path) -> None:
    shape = [1, 3, 2, 2]
    file = simple(tmp_path / "a.onnx", (TensorProto.UINT8, shape), (TensorProto.FLOAT, shape))
    model = onnx.load(file)
    flat = helper.make_node("Flatten", ["y"], ["z"])
    model.graph.node.append(flat)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 12]))
    onnx.save(model, file)
    images = torch.tensor([3.4, 3.6, -2.0, 400.0]).repeat(3).reshape(1, 3, 2, 2)
    assert OnnxNetwork(file)(images)[0, :4].tolist() == [3.0, 4.0, 0.0, 255.0]


def test_networks_that_do_not_map_images_to_outputs(tmp_path: Path) -> None:
    image, row = (TensorProto.FLOAT, [1, 3, 8, 8]), (TensorProto.FLOAT, [1, 3])
    with pytest.raises(InputError, match=r"no outputs \[N, classes\]"):
        OnnxNetwork(simple(tmp_path / "a.onnx", image, image))
    with pytest.raises(InputError, match="not square RGB images"):
        OnnxNetwork(simple(tmp_path / "b.onnx", row, row))
    with pytest.raises(InputError, match="not one tensor of images"):
        OnnxNetwork(simple(tmp_path / "c.onnx", (TensorProto.INT64, [1, 3, 8, 8]), row))


@pytest.mark.parametrize("content", [b"", b"\x08\x08 damaged", bytes(100)])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(InputError, match="no ONNX that ONNX Runtime opens") as caught:
        OnnxNetwork(tmp_path / "a.onnx")
    assert "\n" not in caught.value.message


def test_weights_in_a_file_beside_are_taken_along(tmp_path: Path) -> None:
    """As PyTorch's exporter writes them."""
    file = write_onnx(tmp_path / "a.onnx")
    images = torch.rand(2, 3, 32, 32)
    expected = OnnxNetwork(file)(images)
    onnx.save(
        onnx.load(file), file, save_as_external_data=True, location="a.data", size_threshold=100
    )
    OnnxNetwork(file).save(tmp_path / "whole.onnx")
    (tmp_path / "a.data").unlink()
    assert OnnxNetwork(tmp_path / "whole.onnx")(images).equal(expected)
    with pytest.raises(InputError):
        OnnxNetwork(file)
