"""Files and folders of other tools, each with the network of `colours`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from colours import CLASSES, HALF, colours_network
from torch import nn

SIZE = 32


def write_onnx(
    file: Path,
    network: nn.Module | None = None,
    *,
    layout: str = "NCHW",
    batch: int | str = "batch",
    size: int = SIZE,
    softmax: bool = False,
) -> Path:
    """The network in ONNX, made of its operators."""
    from onnx import TensorProto, helper, numpy_helper, save

    network = network or colours_network()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    shape = [batch, 3, size, size] if layout == "NCHW" else [batch, size, size, 3]
    moved = helper.make_node("Transpose", ["image"], ["x"], perm=[0, 3, 1, 2])
    nodes, first = ([], "image") if layout == "NCHW" else ([moved], "x")
    nodes += [
        helper.make_node("Pad", [first, "pads"], ["padded"], mode="edge"),
        helper.make_node("Conv", ["padded", "stem.weight"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["z"], transB=1),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["z"], ["p"], axis=1))
    weights = [numpy_helper.from_array(value, name) for name, value in state.items()]
    weights.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads"))
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("p" if softmax else "z", TensorProto.FLOAT, [batch, 4])
    graph = helper.make_graph(nodes, "colours", [given], [made], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


def write_torchscript(file: Path, network: nn.Module | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network or colours_network(), torch.rand(1, 3, SIZE, SIZE)).save(str(file))
    return file


def write_exported(
    file: Path, network: nn.Module | None = None, *, batch: int | None = None
) -> Path:
    images = torch.rand(batch or 2, 3, SIZE, SIZE)
    shapes = None if batch else ({0: torch.export.Dim("batch", max=4096)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            network or colours_network(), (images,), dynamic_shapes=shapes
        )
        torch.export.save(program, file)
    return file


def write_lightning(file: Path, state: dict[str, Any]) -> Path:
    """A checkpoint as Lightning's trainer writes it, of a module with a loss beside its network."""
    import lightning.pytorch as pl

    inner = {f"net.{name}": value for name, value in state.items()}
    content = {
        "epoch": 3, "global_step": 12, "pytorch-lightning_version": pl.__version__,
        "state_dict": inner | {"loss.weight": torch.ones(3)}, "loops": {}, "callbacks": {},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}], "lr_schedulers": [],
        "hparams_name": "kwargs", "hyper_parameters": {"rate": 0.1},
    }  # fmt: skip
    torch.save(content, file)
    return file


def write_hugging_face(folder: Path, size: int = SIZE) -> nn.Module:
    """A folder of transformers with a tiny ResNet; returns its network."""
    import transformers

    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic",
        id2label=dict(enumerate(CLASSES)), label2id={name: n for n, name in enumerate(CLASSES)},
    )  # fmt: skip
    network = transformers.ResNetForImageClassification(config).eval()
    network.save_pretrained(folder)
    processor = {
        "do_resize": True, "size": {"shortest_edge": size}, "crop_pct": 0.875, "resample": 3,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": list(HALF), "image_std": list(HALF),
        "image_processor_type": "ConvNextImageProcessor",
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return network
