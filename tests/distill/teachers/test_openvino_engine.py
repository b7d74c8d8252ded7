"""The teacher in OpenVINO: the same outputs, checked before use."""

from __future__ import annotations

import sys

import pytest
import torch
from small_runs import run
from tiny_methods import SUBCLASS_OF, network

from edgekd.distill.task import training_task
from edgekd.distill.teachers import openvino_engine
from edgekd.distill.teachers.averaged import Ensemble, TurnedViews, average_of
from edgekd.distill.teachers.openvino_engine import lower_teacher
from edgekd.distill.teachers.teacher import Teacher, TeacherSetup
from edgekd.errors import InputError, MissingDependencyError
from edgekd.models import read_card

IMAGES = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TASK = training_task("classification")


def made(seed: int = 0, subclass_of: tuple[int, ...] = ()):
    of = network(seed, 4, 8, 8, 16, subclass_of=subclass_of).eval().requires_grad_(False)
    of.network.fc.weight.mul_(20)
    return of


def lowered(of, forward=None, features=False, precision="fp32"):
    return lower_teacher(
        of, forward or of, IMAGES, features=features, precision=precision, threads=1
    )


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


@pytest.mark.parametrize("features", [False, True])
def test_a_difference_outside_of_the_tolerance_is_refused(monkeypatch, features):
    of = made()
    infer = openvino_engine.OpenVinoEngine._infer

    def wrong(self, pixels):
        results = infer(self, pixels)
        results[0] = results[0] * 1.01  # the outputs, or the map
        return results

    monkeypatch.setattr(openvino_engine.OpenVinoEngine, "_infer", wrong)
    with pytest.raises(InputError, match=r"differs from PyTorch by up to .*1\.0% of the largest"):
        lowered(of, features=features)


def test_a_network_that_gives_nothing_but_nan_is_refused():
    of = made()
    of.network.fc.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="differs"):
        lowered(of)


def test_a_precision_that_the_cpu_lacks_is_refused():
    with pytest.raises(InputError, match="no precision fp16"):
        lowered(made(), precision="fp16")


def test_without_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match="openvino"):
        lowered(made())


@pytest.mark.parametrize("method", ["kd", "rkd"])
def test_a_run_records_its_engine(recipe, taught, teacher, tmp_path, method):
    section = {"checkpoint": str(teacher), "engine": "openvino"}
    lines = run(recipe(teacher=section, method={"name": method}), tmp_path)
    assert sum(line.startswith("teacher: OpenVINO") for line in lines) == 1
    engine = read_card(tmp_path / "student").training.teaching["engine"]
    assert engine["name"] == "openvino"
    assert engine["precision"] == "fp32"
    assert 0 <= engine["largest_difference"] < 1e-2
    assert sys.modules.get("openvino_telemetry") is None

    # A card that is made again from the weights still has what was measured.
    (tmp_path / "student" / "metrics.json").unlink()
    lines = run(recipe(teacher=section, method={"name": method}), tmp_path)
    assert any("made again from its weights" in line for line in lines)
    assert read_card(tmp_path / "student").training.teaching["engine"] == engine
