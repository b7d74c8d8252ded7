"""Real files that were damaged after they were saved, and the gate that finds out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from spotted import CLASSES, SIZE, make_images

from edgekd.bundle import GateRecord
from edgekd.lower.backends import get_backend
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.jobs.trial import TrialJob, try_files
from edgekd.lower.precision import Variant
from edgekd.lower.task import evidence_task
from edgekd.policy import DEFAULT_POLICY, load_policy

NAMES = ("bkl", "df", "mel", "nv")
assert len(NAMES) == CLASSES
RARE = NAMES.index("df")


class Bench(NamedTuple):
    """The tiny student's int8 file, and images to judge it on: 100 of df, 300 of each other."""

    file: Path
    images: Path
    reference: GateReference


@pytest.fixture(scope="module")
def bench(student: Any, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("planted")
    get_backend("onnx").lower(
        student.graph, SIZE, Variant(precision="int8"), student.calibration, folder
    )
    images, labels = make_images(2000, seed=5)
    kept = np.concatenate(
        [np.flatnonzero(labels == k)[: 100 if k == RARE else 300] for k in range(CLASSES)]
    )
    np.save(folder / "images.npy", images[kept])
    with torch.no_grad():
        logits = student.graph(torch.from_numpy(images[kept])).numpy()
    limits = load_policy(DEFAULT_POLICY).gate
    reference = GateReference(logits, labels[kept].astype(np.int64), NAMES, limits, {"mel": 0.05})
    return Bench(folder / "model.onnx", folder / "images.npy", reference)


def verdict(bench: Bench, model: onnx.ModelProto, folder: Path) -> GateRecord:
    """The gate's, on the file as it is on disk, by its own runtime."""
    onnx.save(model, folder / "model.onnx")
    job = TrialJob(
        session="onnx",
        files={"int8": str(folder / "model.onnx")},
        images=str(bench.images),
        out=str(folder / "out"),
    )
    answers = try_files(job, log=folder / "log")["int8"]
    task = evidence_task(bench.reference.task)
    return task.judge(bench.reference, answers.outputs, runtime=answers.facts)


def change(model: onnx.ModelProto, name: str, values: NDArray[Any]) -> None:
    (tensor,) = [one for one in model.graph.initializer if one.name == name]
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def value_of(model: onnx.ModelProto, name: str) -> NDArray[Any]:
    (tensor,) = [one for one in model.graph.initializer if one.name == name]
    return np.array(numpy_helper.to_array(tensor))


def test_the_file_as_saved_passes(bench: Bench, tmp_path: Path) -> None:
    gate = verdict(bench, onnx.load(bench.file), tmp_path)
    assert gate.passed, gate.reasons


def test_a_scale_ruined_after_saving_is_caught(bench: Bench, tmp_path: Path) -> None:
    """The same operators, types and shapes: nothing but the answers tells."""
    model = onnx.load(bench.file)
    (conv,) = [node for node in model.graph.node if node.name == "blocks.0.body.0"]
    (scale,) = [node.input[1] for node in model.graph.node if node.input[0] == conv.output[0]]
    change(model, scale, value_of(model, scale) / np.float32(16))  # all but small values clip
    gate = verdict(bench, model, tmp_path)
    assert not gate.passed
    assert any("balanced accuracy may drop" in reason for reason in gate.reasons)
    assert any("sensitivity for mel may drop" in reason for reason in gate.reasons)


def test_a_loss_in_one_rare_class_is_caught_by_its_own_limit(bench: Bench, tmp_path: Path) -> None:
    """The rare class's logit is lowered until 6 of its 100 images are lost, and no other."""
    model = onnx.load(bench.file)
    whole = verdict(bench, model, tmp_path)
    assert whole.per_class["df"].lost == 0
    answers = np.load(tmp_path / "out" / "int8.npz")["outputs"]
    own = answers[bench.reference.targets == RARE]
    margin = np.sort(own[:, RARE] - np.delete(own, RARE, axis=1).max(axis=1))
    lower_by_bias(model, float(margin[5] + margin[6]) / 2)
    gate = verdict(bench, model, tmp_path)
    change_of_df = gate.per_class["df"]
    assert change_of_df.lost - change_of_df.gained == 6
    assert gate.flips < bench.reference.limits.max_flips
    assert gate.balanced_accuracy_drop_high is not None
    assert gate.balanced_accuracy_drop_high < bench.reference.limits.max_balanced_accuracy_drop
    assert gate.reasons == (
        "sensitivity for df drops by 6.0 points (6 lost, 0 gained of 100), more than 5.0 points",
    )


def lower_by_bias(model: onnx.ModelProto, amount: float) -> None:
    """Put an Add at the very end: the same file but for one class's logit."""
    (output,) = model.graph.output
    last = next(node for node in model.graph.node if output.name in node.output)
    last.output[list(last.output).index(output.name)] = "before"
    shift = np.zeros((1, CLASSES), np.float32)
    shift[0, RARE] = -amount
    model.graph.initializer.append(numpy_helper.from_array(shift, "shift"))
    model.graph.node.append(onnx.helper.make_node("Add", ["before", "shift"], [output.name]))
