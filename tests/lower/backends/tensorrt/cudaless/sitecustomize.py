"""A GPU's answers where there is none, for the process that builds an engine by torch-tensorrt.

Python imports this at its start wherever this folder is on PYTHONPATH. In the engine's process
(`edgekd.lower.backends.tensorrt.job`), and where CUDALESS_NOTES names a folder, it

- answers torch.cuda's questions for an Ampere GPU, without which torch-tensorrt is not imported;
- lets TensorRT-RTX build for that GPU, which it can without having one;
- leaves out that the built engine is loaded, which it cannot;
- notes the layers of each network in that folder (`0.json`, `1.json`, …), before they are built.

torch-tensorrt's own lowering, converters and the builder are the real ones.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

JOB = "edgekd.lower.backends.tensorrt.job"
MAJOR, MINOR = 8, 6
MEMORY = 8 << 30
FOLDER = Path(os.environ["CUDALESS_NOTES"]) if "CUDALESS_NOTES" in os.environ else None


def answer_for_cuda() -> None:
    import torch

    properties = SimpleNamespace(
        name="stand-in", major=MAJOR, minor=MINOR, total_memory=MEMORY, multi_processor_count=30,
        is_integrated=0,
    )  # fmt: skip
    answers = {
        "is_available": True, "device_count": 1, "current_device": 0, "set_device": None,
        "get_device_capability": (MAJOR, MINOR), "get_device_properties": properties,
        "get_device_name": properties.name, "mem_get_info": (MEMORY, MEMORY), "synchronize": None,
        "empty_cache": None, "is_initialized": False, "_lazy_init": None, "set_rng_state": None,
        "get_rng_state": torch.zeros(16, dtype=torch.uint8),
    }  # fmt: skip
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *ignored, answer=answer, **more: answer)


class Unloaded:
    """In the place of a loaded engine: its bytes."""

    def __init__(self, serialized: Any) -> None:
        self.serialized = serialized

    def serialize(self) -> Any:
        return self.serialized

    def get_aliased_input_tensor(self, name: str) -> None:
        """No output shares the memory of an input."""


class Runtime:
    """In the place of TensorRT's runtime, which needs a GPU."""

    def __init__(self, logger: Any) -> None: ...

    def deserialize_cuda_engine(self, serialized: Any) -> Unloaded:
        return Unloaded(serialized)


class WithoutRuntime:
    """TensorRT's module with the runtime above."""

    Runtime = Runtime

    def __init__(self, trt: Any) -> None:
        self.trt = trt

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trt, name)


def build_without_a_gpu() -> None:
    import torch_tensorrt  # noqa: F401
    from torch_tensorrt.dynamo.conversion import _TRTInterpreter as module

    trt, interpreter = module.trt, module.TRTInterpreter
    module.trt = WithoutRuntime(trt)
    configured = interpreter._populate_trt_builder_config
    constructed = interpreter._construct_trt_network_def

    def configure(self: Any, *arguments: Any, **more: Any) -> Any:
        config = configured(self, *arguments, **more)
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{MAJOR}{MINOR}"), 0)
        return config

    def construct(self: Any) -> None:
        constructed(self)
        if FOLDER is not None:
            number = len(list(FOLDER.iterdir()))
            (FOLDER / f"{number}.json").write_text(json.dumps(notes(self.ctx.net)))

    interpreter._populate_trt_builder_config = configure
    interpreter._construct_trt_network_def = construct


def notes(network: Any) -> dict[str, Any]:
    """Inputs, outputs and layers: kind, kinds of the layers that give the inputs, type."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    givers = {
        layer.get_output(index).name: layer.type.name
        for layer in layers
        for index in range(layer.num_outputs)
    }
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    return {
        "inputs": [[list(one.shape), one.dtype.name] for one in inputs],
        "outputs": [[list(one.shape), one.dtype.name] for one in outputs],
        "layers": [
            {
                "kind": layer.type.name,
                "from": [
                    givers.get(layer.get_input(index).name, "")
                    for index in range(layer.num_inputs)
                    if layer.get_input(index) is not None
                ],
                "type": layer.get_output(0).dtype.name,
            }
            for layer in layers
        ],
    }


if JOB in sys.orig_argv or FOLDER is not None:
    answer_for_cuda()
    build_without_a_gpu()
