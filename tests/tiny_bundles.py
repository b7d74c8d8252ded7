"""A real bundle in a moment: a small real ONNX file whose answers follow from a photo's colour."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import msgspec
import numpy as np
import onnx
from manifests import make_manifest
from onnx import TensorProto, helper, numpy_helper

from edgekd.bundle import (
    SELFTEST,
    CaptureRule,
    FeaturesRecord,
    Limit,
    ModelInfo,
    ReferenceRecord,
    write_bundle,
)
from edgekd.runtime.selftest import Vectors
from edgekd.tasks.classification.manifest import Decision

__all__ = [
    "ANSWER",
    "MEANS",
    "REFER",
    "RETAKE",
    "plate",
    "write_photo",
    "write_tiny_bundle",
    "write_video",
]

_SIZE = 16
MEANS = np.array([[4.0, -3.0, 0.5], [-2.0, 5.0, 1.0], [1.0, -1.0, 3.0]], np.float32) / 64

ANSWER, REFER, RETAKE = (240, 20, 20), (128, 128, 128), (8, 8, 8)
"""Colours, RGB, on which the bundle decides so: red is `bkl`, grey is unsure, black is dark."""


def write_tiny_bundle(
    out: Path,
    *,
    tolerance: float = 1e-3,
    wrong_by: float = 0.0,
    weights: np.ndarray = MEANS,
    classes: tuple[str, ...] = ("bkl", "mel", "nv"),
    files: Mapping[str, bytes] = MappingProxyType({}),
    reference: np.ndarray | None = None,
    features: np.ndarray | None = None,
    **changes: Any,
) -> Path:
    """A finished bundle, by default of three classes.

    Args:
        out: Its folder.
        tolerance: Of its self-test vectors.
        wrong_by: Added to their logits.
        weights: Matrix [3, K] from a photo's mean colour to its logits.
        classes: The K classes.
        files: Further files of the bundle.
        reference: Matrix [3, K] of the float student beside the file; None for a bundle without.
        features: Matrix [3, F] of the features beside the file; None for a bundle without.
        changes: Fields of the manifest to replace.
    """
    images = np.random.default_rng(0).integers(0, 256, (4, _SIZE, _SIZE, 3)).astype(np.uint8)
    logits = (images.mean(axis=(1, 2)) @ weights.astype(np.float64)).astype(np.float32)
    out.parent.mkdir(parents=True, exist_ok=True)
    selftest = out.with_name(f"{out.name}-{SELFTEST}")
    Vectors(images, logits + np.float32(wrong_by), tolerance).save(selftest)
    limits = {"brightness": Limit(low=0.2, high=0.95), "sharpness": Limit(low=-1.0)}
    manifest = make_manifest(
        model=ModelInfo(name="tiny", classes=classes, image_size=_SIZE),
        decision=Decision(refer_below=0.97, conformal_quantile=0.96),
        capture=CaptureRule(limits=limits),
    )
    manifest = msgspec.structs.replace(manifest, **changes)
    beside = None
    if reference is not None:
        beside = {"model.onnx": _network(reference)}
        student = ReferenceRecord(backend="onnx", model_file="model.onnx")
        manifest = msgspec.structs.replace(manifest, reference=student)
    taught = None
    if features is not None:
        vectors = io.BytesIO()
        outputs = (images.mean(axis=(1, 2)) @ features.astype(np.float64)).astype(np.float32)
        Vectors(images, outputs + np.float32(wrong_by), tolerance).save(vectors)
        taught = {"model.onnx": _network(features), SELFTEST: vectors.getvalue()}
        record = FeaturesRecord(
            backend="onnx", model_file="model.onnx", precision="fp32", size=features.shape[1]
        )
        manifest = msgspec.structs.replace(manifest, features=record)
    content = {"model.onnx": _network(weights), SELFTEST: selftest, **files}
    write_bundle(out, manifest, content, beside, taught)
    return out


def plate(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> np.ndarray:
    """A picture of one colour, RGB uint8 [H, W, 3]."""
    return np.full((height, width, 3), colour, np.uint8)


def write_photo(path: Path, colour: tuple[int, int, int]) -> Path:
    """A PNG of one colour."""
    assert cv2.imwrite(str(path), plate(colour)[..., ::-1])
    return path


def write_video(path: Path, colours: list[tuple[int, int, int]]) -> Path:
    """An AVI with a frame of each colour."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for colour in colours:
        writer.write(plate(colour)[..., ::-1])
    writer.release()
    return path


def _network(weights: np.ndarray) -> bytes:
    """uint8 [1, S, S, 3] to float [1, K]: the colour's mean, times a matrix [3, K]."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, _SIZE, _SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, weights.shape[1]])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    opset = [helper.make_opsetid("", 13)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return model.SerializeToString()
