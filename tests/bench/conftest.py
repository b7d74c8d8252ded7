"""A tiny real chain: JPEG files, a checkpoint by timm, a bundle by ONNX Runtime; and results."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekd.bench.subjects.data import BenchData
from edgekd.bundle import Lineage, Lowering, Manifest, ModelInfo, write_bundle
from edgekd.bundle.task import manifest_task
from edgekd.extensions.tasks import DEFAULT_TASK

CLASSES = ("mel", "nv", "bkl")
SIZE = 32


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> BenchData:
    """36 JPEG files; a class's colour channel is the brightest, so a mean can tell them apart."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    images = []
    for index in range(36):
        label = index % len(CLASSES)
        pixels = generator.integers(0, 120, size=(48, 64, 3))
        pixels[..., 2 - label] += 60  # OpenCV writes BGR
        path = folder / f"{index:02d}.jpg"
        cv2.imwrite(str(path), pixels.astype(np.uint8))
        images.append((path, CLASSES[label]))
    return BenchData("tiny", "test", CLASSES, images)


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory):
    """A bundle whose logits are the mean colours: ONNX, uint8 [1, S, S, 3] to [1, K]."""

    def make(
        target: str = "cpu",
        classes: tuple[str, ...] = CLASSES,
        completion: str = "complete",
        backend: str = "onnx",
        temperature: float = 2.0,
        task: str = DEFAULT_TASK,
    ) -> Path:
        out = tmp_path_factory.mktemp("bundle") / target
        decision = manifest_task(task).Decision
        manifest = Manifest(
            version="0",
            task=task,
            model=ModelInfo(name="mean", classes=classes, image_size=SIZE, params=9, macs=9),
            decision=decision(temperature=temperature),
            lowering=Lowering(
                target=target,
                backend=backend,
                precision="fp32",
                completion=completion,
                completion_command="finish it",
            ),
            metrics={},
            lineage=Lineage(method="none"),
            model_file="model.onnx",
            files={},
        )
        write_bundle(out, manifest, {"model.onnx": _mean_colour_model(len(classes))})
        return out

    return make


def _mean_colour_model(outputs: int) -> bytes:
    from onnx import TensorProto, checker, helper

    weights = np.zeros((3, outputs), np.float32)
    np.fill_diagonal(weights, 0.05)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        ],
        "mean",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, outputs])],
        [helper.make_tensor("weights", TensorProto.FLOAT, [3, outputs], weights.ravel())],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory):
    """A checkpoint of an untrained little ResNet of timm."""

    def make(role: str = "teacher", classes: tuple[str, ...] = CLASSES) -> Path:
        import torch

        from edgekd.models import DataCard, ModelCard, TrainingCard, create_network, save_checkpoint

        folder = tmp_path_factory.mktemp(role)
        torch.manual_seed(0)
        network = create_network("test_resnet", len(classes), {})
        card = ModelCard(
            role=role,
            arch="test_resnet",
            classes=classes,
            image_size=SIZE,
            mean=(0.5,) * 3,
            std=(0.5,) * 3,
            resize="centre-square-area-v2",
            params=400_000,
            macs=1_000_000,
            pretrained="none",
            data=DataCard(name="tiny", root=".", sha256="0", images={}),
            training=TrainingCard(
                method="none", seed=0, recipe_sha256="0", stage_sha256="0", epochs=0, best_epoch=0
            ),
        )
        save_checkpoint(folder, network, card)
        return folder

    return make


@pytest.fixture(scope="session")
def teacher(make_checkpoint) -> Path:
    return make_checkpoint()
