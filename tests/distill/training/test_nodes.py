"""Runs whose processes torchrun or SLURM has started, on two nodes of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, distributed
from two_nodes import Nodes, end_all, obstacle, two_nodes

from edgekd.distill.runs import pipeline
from edgekd.distill.training.nodes import connect, refuse_strategy
from edgekd.errors import InputError
from edgekd.recipe import Recipe, TrainerSection, convert

LAUNCHED = {
    "torchrun": {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "{}", "RANK": "0"},
    "SLURM": {
        "SLURM_NTASKS": "{}",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_JOB_NAME": "edgekd",
        "SLURM_PROCID": "0",
    },
}


@pytest.mark.parametrize("launcher", LAUNCHED)
def test_another_number_of_processes_is_refused(
    monkeypatch: pytest.MonkeyPatch, launcher: str
) -> None:
    for name, value in LAUNCHED[launcher].items():
        monkeypatch.setenv(name, value.format(3))
    with pytest.raises(InputError) as refused:
        connect(TrainerSection(accelerator="cpu", devices=2, nodes=2))
    assert refused.value.message == (
        f"{launcher} has started 3 processes, and the recipe is for 2 devices on 2 nodes"
    )
    assert not distributed.is_initialized()


def test_tasks_that_are_not_counted_by_node_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "edgekd")
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
    with pytest.raises(InputError, match=r"SLURM.s job cannot be used: .*--ntasks-per-node=4"):
        connect(TrainerSection(accelerator="cpu", devices=2, nodes=2))


@pytest.mark.parametrize("launcher", [None, *LAUNCHED])
def test_one_process_has_nobody_to_connect_with(
    monkeypatch: pytest.MonkeyPatch, launcher: str | None
) -> None:
    for name, value in LAUNCHED.get(launcher or "", {}).items():
        monkeypatch.setenv(name, value.format(1))
    connect(TrainerSection(accelerator="cpu"))
    assert not distributed.is_initialized()


def test_fsdp_is_refused_on_cpus() -> None:
    with pytest.raises(InputError, match="FSDP needs GPUs"):
        refuse_strategy(TrainerSection(accelerator="cpu", strategy="fsdp"))
    refuse_strategy(TrainerSection(accelerator="cpu", strategy="ddp"))


# ---- two nodes ----

PATIENCE = 900  # seconds for a run of two nodes on a busy machine
# Without batch statistics, which each node would take of its own half, and without draws of each
# node's own, a step of two nodes is that of one process with both halves.
STUDENT = {"arch": "resnet10t", "options": {"channels": [4, 4, 8, 8], "stem_width": 4}}
TEACHER = {"arch": "resnet10t", "options": {"channels": [4, 8, 8, 16], "stem_width": 4}}
METHODS: dict[str, dict[str, Any]] = {
    "ssd_kd": {"name": "ssd_kd", "teacher_head": {"epochs": 1, "batch_size": 8,
                                                  "optimizer": "adamw", "schedule": "one_cycle"}},
    "crckd": {"name": "crckd", "start": 0},
    "curriculum": {"name": "kd", "temperature": {"curriculum": "instance"}},
}  # fmt: skip
# Of each epoch's mean loss, relatively. Two nodes compare images within each node's half of a batch
# alone (ssd_kd's distances and angles, crckd's relations), and draw other negatives.
TOLERANCES = {"ssd_kd": 0.05, "crckd": 0.01, "curriculum": 1e-4}


def even(model: dict[str, Any]) -> dict[str, Any]:
    return {**model, "options": {**model["options"], "norm_layer": "groupnorm1"}}


def plain(nodes: int, epochs: int = 3, **sections: Any) -> dict[str, Any]:
    """A recipe of 64 training images in global batches of 16, without augmentation."""
    fit = {
        "epochs": epochs,
        "batch_size": 16 // nodes,
        "learning_rate": 2e-3,
        "class_weights": "none",
    }  # they would be normalised by those of each node's half
    return {
        "name": "nodes",
        "image_size": 32,
        "data": {"source": "synthetic", "images": 116, "size": 32, "seed": 1},
        "split": {"validation": 0.25, "test": 0.2},
        "augment": {"flip": False, "quarter_turns": False, "colour": 0.0},
        "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1, "nodes": nodes,
                    "timeout": 0.5, "checkpoint": {"steps": 1}},
        "teacher": {"model": even(TEACHER), "fit": {**fit, "epochs": 1}},
        "student": {"model": even(STUDENT), "fit": fit},
        **sections,
    }  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    pipeline.train(pipeline.RunRequest(convert(plain(1), Recipe, "the test"), folder))
    return folder


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    with two_nodes() as made:
        yield made


class Pair:
    """A run of both nodes."""

    def __init__(self, nodes: Nodes, recipe: dict[str, Any], folder: Path) -> None:
        self.nodes, self.out, self.folder = nodes, folder / "run", folder
        folder.mkdir(exist_ok=True)
        self.recipe = folder / "recipe.yaml"
        self.recipe.write_text(json.dumps(recipe))  # JSON is YAML
        self.logs = [folder / "node0.log", folder / "node1.log"]

    def start(self) -> None:
        command = ["distill", str(self.recipe), "--out", str(self.out)]
        self.runs = [self.nodes.start(number, command, self.logs[number]) for number in (0, 1)]

    def finish(self) -> None:
        self.start()
        codes = [run.wait(PATIENCE) for run in self.runs]
        assert codes == [0, 0], self.told(0) + self.told(1)

    def told(self, number: int) -> str:
        return self.logs[number].read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + PATIENCE
        while text not in self.told(0):
            assert all(run.poll() is None for run in self.runs), self.told(0) + self.told(1)
            assert time.monotonic() < end
            time.sleep(0.05)


def student_of(out: Path) -> dict[str, Tensor]:
    return load_file(out / "student" / "model.safetensors")


def way(start: dict[str, Tensor], end: dict[str, Tensor]) -> float:
    """Length of the difference between two states of a network."""
    squares = [(end[name].double() - start[name].double()).square().sum() for name in start]
    return float(torch.stack(squares).sum().sqrt())


def history_of(out: Path) -> list[list[str]]:
    lines = (out / "student" / "history.csv").read_text().splitlines()
    columns = lines[0].split(",")
    kept = [number for number, name in enumerate(columns) if name != "waiting"]
    return [[line.split(",")[number] for number in kept] for line in lines]


def losses_of(out: Path) -> list[float]:
    names, *rows = history_of(out)
    return [float(row[names.index("loss")]) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_nodes_come_to_what_one_process_comes_to(
    nodes: Nodes, teacher: Path, tmp_path: Path, method: str
) -> None:
    """With the same global batches, of the same images."""
    sections = {"method": METHODS[method], "teacher": {"checkpoint": str(teacher)}}
    for name, changed in (("one", {}), ("less", {"epochs": 1})):
        alone = convert(plain(1, **changed, **sections), Recipe, "the test")
        pipeline.distill(pipeline.RunRequest(alone, tmp_path / name))
    pair = Pair(nodes, plain(2, **sections), tmp_path)
    pair.finish()
    one, two = student_of(tmp_path / "one"), student_of(pair.out)
    moved = way(one, student_of(tmp_path / "less"))
    print(method, "difference", way(one, two), "two epochs", moved)
    losses, others = losses_of(tmp_path / "one"), losses_of(pair.out)
    print(losses, others)
    assert others == pytest.approx(losses, rel=TOLERANCES[method])
    if method == "curriculum":  # a mean over images: the same steps
        assert way(one, two) < 0.01 * moved


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_node_ends_the_other_and_both_continue(
    nodes: Nodes, teacher: Path, tmp_path: Path, lost: int
) -> None:
    sections = {"method": METHODS["crckd"], "teacher": {"checkpoint": str(teacher)}}
    recipe = plain(2, epochs=15, **sections)
    pair = Pair(nodes, recipe, tmp_path)
    pair.start()
    pair.wait_for("student epoch 3/")
    end_all(nodes.names[lost])
    codes = [run.wait(PATIENCE) for run in pair.runs]
    assert 0 not in codes
    told = pair.told(1 - lost)
    assert "error: another process of this run has ended or cannot be reached" in told
    assert "the same command on all nodes continues at the last checkpoint" in told
    pair.finish()
    assert "resuming student where it was interrupted, after" in pair.told(0)
    whole = Pair(nodes, recipe, tmp_path / "whole")
    whole.finish()
    assert history_of(pair.out) == history_of(whole.out)
    one, other = student_of(pair.out), student_of(whole.out)
    assert all(one[name].equal(other[name]) for name in one)


@pytest.mark.slow
def test_a_cut_cable_is_noticed(nodes: Nodes, teacher: Path, tmp_path: Path) -> None:
    """No message comes; `trainer.timeout` ends both nodes."""
    sections = {"method": {"name": "kd"}, "teacher": {"checkpoint": str(teacher)}}
    pair = Pair(nodes, plain(2, epochs=200, **sections), tmp_path)
    pair.start()
    pair.wait_for("student epoch 3/")
    nodes.cut()
    for number in (0, 1):
        assert pair.runs[number].wait(PATIENCE) != 0
        assert "has ended or cannot be reached" in pair.told(number)


@pytest.mark.slow
def test_a_signal_to_one_node_stops_both(nodes: Nodes, teacher: Path, tmp_path: Path) -> None:
    sections = {"method": {"name": "mean_teacher"}, "teacher": {"checkpoint": str(teacher)}}
    pair = Pair(nodes, plain(2, epochs=40, **sections), tmp_path)
    pair.start()
    pair.wait_for("student epoch 3/")
    pair.runs[1].terminate()  # torchrun passes it on
    assert all(run.wait(PATIENCE) != 0 for run in pair.runs)
    assert "stopped by SIGTERM: student is saved after" in pair.told(0)
    pair.finish()
    assert "resuming student where it was interrupted, after" in pair.told(0)
