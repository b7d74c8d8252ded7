"""The benchmark of lowering runs, and tells what it promises of every file."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edgekd.extensions.registry import Registry
from edgekd.models import build_network
from edgekd.recipe import load_recipe

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "lowering.py"
TARGET = """
name = "{name}"
title = "A test's"
backend = "{backend}"
extra = "onnx"
ladder = {ladder}
"""
POLICY = """
name = "mine"
title = "A test's"
critical = {{ nv = {critical} }}
[gate]
max_flips = 1.0
max_balanced_accuracy_drop = 1.0
max_sensitivity_drop = 1.0
max_ece_increase = 1.0
"""


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("lowering_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # where dataclasses look their module up
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def own_targets(tmp_path, monkeypatch):
    """One that this computer can run, and one whose engine is elsewhere."""
    kinds = {"here": ("onnx", ["int8", "fp32"]), "elsewhere": ("tensorrt", ["fp32"])}
    folders = {name: tmp_path / "targets" / name for name in kinds}
    for name, (backend, ladder) in kinds.items():
        folders[name].mkdir(parents=True)
        text = TARGET.format(name=name, backend=backend, ladder=ladder)
        (folders[name] / "target.toml").write_text(text)
    registry = Registry("target", "edgekd.targets", folders)
    monkeypatch.setattr("edgekd.targets.TARGETS", registry)


def measured(benchmark, run, folder, targets, critical):
    """The result for one run, with a policy that lets naevi lose that much sensitivity."""
    policy, file = folder / f"{critical}.toml", folder / f"{critical}.json"
    policy.write_text(POLICY.format(critical=critical))
    flags = ["--targets", targets, "--policy", str(policy), "--json", str(file)]
    assert benchmark.main([str(run), *flags, "--markdown", str(file.with_suffix(".md"))]) == 0
    (result,) = json.loads(file.read_text())["runs"]
    return result, {(row["target"], row["file"]): row for row in result["rows"]}


@pytest.mark.usefixtures("own_targets")
def test_every_file_is_measured(benchmark, small_run, tmp_path, capsys):
    run, rows = measured(benchmark, small_run, tmp_path, "here,elsewhere", 1.0)
    text = capsys.readouterr().out
    assert list(rows) == [("here", "int8"), ("here", "fp32"), ("elsewhere", "fp32")]

    exact, int8 = rows["here", "fp32"]["loss"], rows["here", "int8"]["loss"]
    trained = json.loads((small_run / "student" / "metrics.json").read_text())["test"]
    accuracy = run["student"]["metrics"]["balanced_accuracy"]["value"]
    assert accuracy == pytest.approx(trained["balanced_accuracy"]["value"], abs=1e-9)
    assert exact["images"] == run["card"]["images"]["test"]
    assert exact["flips"] == 0
    assert exact["max_logit_difference"] < 1e-3 < int8["max_logit_difference"]
    assert abs(exact["ece_increase"]) < 1e-3
    assert rows["here", "int8"]["rung"]["size_bytes"] < rows["here", "fp32"]["rung"]["size_bytes"]

    assert rows["here", "fp32"]["latency"]["ratio"] == 1.0
    assert rows["here", "int8"]["latency"]["ratio"] > 0
    assert rows["elsewhere", "fp32"]["latency"] is None

    assert run["auto"]["here"]["taken"] == "int8"
    assert all(row["critical_classes"] for row in run["rows"])
    assert (tmp_path / "1.0.md").read_text() == text
    assert text.count("\n| onnx | ") == 2
    assert "`auto` takes: here int8; elsewhere fp32." in text


@pytest.mark.usefixtures("own_targets")
def test_files_without_evidence_are_measured_as_if_no_class_were_critical(
    benchmark, small_run, tmp_path, capsys
):
    run, _ = measured(benchmark, small_run, tmp_path, "here", 1e-6)
    doubtful = run["auto"]["here"]
    assert (doubtful["taken"], doubtful["taken_without_critical"]) == (None, "int8")
    assert "no certificate for nv" in doubtful["lacking"][0]
    assert [row["critical_classes"] for row in run["rows"]] == [False, False]
    assert r"`auto` takes: here nothing (int8\*)." in capsys.readouterr().out


def test_losses_are_those_of_the_part(benchmark, small_run):
    """Against numbers made by hand: one decision of the test part is turned, none of validation."""
    source = benchmark.load_source(small_run)
    exam = benchmark.Exam(source, "test")
    answers = exam.student.copy()
    right = np.flatnonzero(answers.argmax(1) == exam.targets)[0]
    answers[right] = -answers[right]
    loss = exam.loss(source.outputs, answers)
    name = source.card.classes[exam.targets[right]]
    images = int((exam.targets == exam.targets[right]).sum())
    assert loss["flips"] == 1 / len(exam.targets)
    assert (loss["per_class"][name].lost, loss["per_class"][name].n) == (1, images)
    assert loss["balanced_accuracy_drop"].value == pytest.approx(
        1 / images / len(set(exam.targets.tolist()))
    )
    difference = 2 * float(np.abs(exam.student[right]).max())
    assert loss["max_logit_difference"] == pytest.approx(difference)
    assert loss["temperature"] == exam.calibrated_error(source.outputs, exam.student)[0]


def test_answers_that_are_not_finite_are_losses(benchmark, small_run):
    source = benchmark.load_source(small_run)
    exam = benchmark.Exam(source, "test")
    loss = exam.loss(source.outputs, np.full_like(exam.student, np.nan))
    assert loss["max_logit_difference"] is None
    assert loss["ece"] is None
    assert sum(drop.gained for drop in loss["per_class"].values()) == 0
    assert loss["balanced_accuracy_drop"].value > 0


@pytest.mark.parametrize("weights", [None, Path("start.safetensors")])
def test_the_families_are_students_without_a_teacher(benchmark, weights):
    options = argparse.Namespace(
        mobilenetv2_weights=weights, data_root="somewhere", epochs=3, image_size=64, overrides=[]
    )
    networks = {}
    for family in benchmark.FAMILIES:
        recipe = load_recipe("ham10000-kd", benchmark.settings_of(family, options))
        assert recipe.teacher is None
        assert recipe.method == {"name": "none"}
        assert recipe.data["root"] == "somewhere"
        assert (recipe.image_size, recipe.student.fit.epochs) == (64, 3)
        assert recipe.trainer.threads == 1
        model = recipe.student.model
        if model.pretrained == str(weights):
            assert family == "mobilenetv2"
        else:
            networks[family] = build_network(model, 7).network
    assert ("mobilenetv2" in networks) == (weights is None)
    assert "SiLU" in {type(module).__name__ for module in networks["silu"].modules()}


def test_a_family_is_trained_once(benchmark, tmp_path):
    flags = ["--train", str(tmp_path / "runs"), "--families", "silu", "--recipe", "demo"]
    flags += ["--data-root", str(tmp_path / "data"), "--epochs", "1", "--image-size", "32"]
    flags += ["--set", "data.images=200", "--set", "data.size=32"]
    options = benchmark._options(flags)
    (run,) = benchmark._trained(options)
    card = benchmark.load_source(run).card
    assert (card.arch, card.arch_options) == ("mobilenetv2_050", {"act_layer": "silu"})
    assert (card.training.method, card.training.epochs, card.image_size) == ("none", 1, 32)
    assert not (run / "teacher").exists()
    written = (run / "student" / "model.json").stat().st_mtime_ns
    assert list(benchmark._trained(options)) == [run]
    assert (run / "student" / "model.json").stat().st_mtime_ns == written


def test_without_a_run_there_is_nothing_to_measure(benchmark, tmp_path, capsys):
    with pytest.raises(SystemExit):
        benchmark.main([])
    assert "give a RUN" in capsys.readouterr().err
    assert benchmark.main([str(tmp_path)]) == 2
    assert "there is no checkpoint" in capsys.readouterr().err
