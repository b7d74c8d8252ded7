"""The teacher in OpenVINO: the same outputs, checked before use."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from lowered_teachers import IMAGES, lowered, made
from small_runs import run
from tiny_methods import SUBCLASS_OF

from edgekd.distill.task import training_task
from edgekd.distill.teachers.averaged import Ensemble, TurnedViews, average_of
from edgekd.distill.teachers.teacher import Teacher, TeacherSetup
from edgekd.errors import MissingDependencyError
from edgekd.models import read_card

TASK = training_task("classification")


@pytest.mark.parametrize("features", [False, True])
def test_outputs_and_features_are_those_of_pytorch(features):
    of = made()
    engine = lowered(of, features=features)
    lower, plain = (Teacher(of, TeacherSetup("fp32", engine=e)) for e in (engine, None))
    for pixels in (IMAGES, IMAGES[:3], IMAGES.flip(3)):
        if features:
            for name in ("features", "pooled", "logits"):
                torch.testing.assert_close(
                    getattr(lower.features(None, pixels), name),
                    getattr(plain.features(None, pixels), name), rtol=1e-3, atol=1e-3,
                )  # fmt: skip
        else:
            torch.testing.assert_close(
                lower.outputs(None, pixels), plain.outputs(None, pixels), rtol=1e-3, atol=1e-3
            )
    first = lower.outputs(None, IMAGES)
    kept = first.clone()
    lower.outputs(None, IMAGES.flip(3))
    assert first.equal(kept)  # another batch does not overwrite it


def test_ensembles_views_and_subclasses():
    average = average_of(TASK, "probabilities")
    averaged = TurnedViews(Ensemble([made(), made(1)], (0.3, 0.7), average), 2, average).eval()
    torch.testing.assert_close(
        lowered(averaged).outputs(IMAGES), averaged(IMAGES), rtol=1e-3, atol=1e-3
    )
    divided = made(0, SUBCLASS_OF)
    outputs = lowered(divided, divided.outputs).outputs(IMAGES)
    assert outputs.shape == (8, len(SUBCLASS_OF))


def test_without_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match="openvino"):
        lowered(made())


ALONE = """
import sys, torch
from edgekd.distill.teachers.engines.engine import lower_teacher
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 7)).eval()
images = torch.rand(2, 3, 4, 4)
lower_teacher(
    "openvino", network, network, images, features=False, precision="fp32", threads=1
)
assert sys.modules["openvino"] is not None
print(sys.modules.get("openvino_telemetry"))
"""


def test_nothing_is_sent():
    """In a process in which no other test has imported OpenVINO before."""
    ended = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split()) == (0, ["None"]), ended.stderr


@pytest.mark.parametrize("method", ["kd", pytest.param("rkd", marks=pytest.mark.slow)])
def test_a_run_records_its_engine(recipe, taught, teacher, tmp_path, method):
    section = {"checkpoint": str(teacher), "engine": "openvino"}
    lines = run(recipe(teacher=section, method={"name": method}), tmp_path)
    assert sum(line.startswith("teacher: OpenVINO") for line in lines) == 1
    engine = read_card(tmp_path / "student").training.teaching["engine"]
    assert engine["name"] == "openvino"
    assert engine["precision"] == "fp32"
    assert 0 <= engine["largest_difference"] < 1e-2

    # A card that is made again from the weights still has what was measured.
    (tmp_path / "student" / "metrics.json").unlink()
    lines = run(recipe(teacher=section, method={"name": method}), tmp_path)
    assert any("made again from its weights" in line for line in lines)
    assert read_card(tmp_path / "student").training.teaching["engine"] == engine
