"""Models that others trained, the whole way: import, check, distil, build, verify."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lenient
import pytest
import torch
from colours import CLASSES, colours_network, paint, write_package
from model_files import (
    write_exported,
    write_hugging_face,
    write_lightning,
    write_onnx,
    write_torchscript,
)

from edgekd.cli import main
from edgekd.models.trust import TRUSTED

PACKAGE = "networks_of_a_hospital"
SIZE = ("--size", "32", "--mean", "0.5", "--std", "0.5")
NAMES = ("--classes", ",".join(CLASSES))
Write = Callable[[Path], Path]

RECIPE = """
name: colours
image_size: 32
policy: {policy}
data: {{source: csv, file: {table}, root: {root}}}
split: {{validation: 0.3, test: 0.2}}
trainer: {{accelerator: cpu, precision: fp32, threads: 1}}
teacher: {{checkpoint: {teacher}}}
student:
  model: {{arch: resnet10t, options: {{channels: [4, 8, 8, 16], stem_width: 4, act_layer: relu6}}}}
  fit: {{epochs: 4, batch_size: 16, learning_rate: 1.0e-2}}
method: {{name: {method}}}
"""


def write_state(file: Path) -> Path:
    torch.save({"state_dict": colours_network().state_dict()}, file)
    return file


def write_torchvision(file: Path) -> Path:
    from edgekd.models import create_network

    torch.manual_seed(0)
    torch.save(create_network("torchvision:shufflenet_v2_x0_5", 4).state_dict(), file)
    return file


def write_timm(file: Path) -> Path:
    from edgekd.models import create_network

    torch.manual_seed(0)
    options = {"channels": [4, 8, 8, 16], "stem_width": 4}
    torch.save(create_network("resnet10t", 4, options).state_dict(), file)
    return file


def write_folder(folder: Path) -> Path:
    pytest.importorskip("transformers", reason="pip install 'edgekd[transformers]'")
    write_hugging_face(folder)
    return folder


OWN_CLASS = ("--arch", f"{PACKAGE}:Colours", "--trust-code")
KINDS: dict[str, tuple[str, Write, tuple[str, ...], bool]] = {
    "torchvision .pth": ("a.pth", write_torchvision, NAMES, True),
    "timm .pth": ("b.pth", write_timm, (
        *NAMES, "--arch", "resnet10t", "--kwargs", '{"channels": [4, 8, 8, 16], "stem_width": 4}'
    ), True),
    "Lightning .ckpt": (
        "c.ckpt", lambda file: write_lightning(file, colours_network().state_dict()),
        (*NAMES, *OWN_CLASS), True,
    ),
    "Hugging Face": ("hf", write_folder, (), True),
    "ONNX": ("d.onnx", write_onnx, NAMES, False),
    "ExportedProgram": ("e.pt2", write_exported, NAMES, False),
    "TorchScript": ("f.pt", write_torchscript, NAMES, False),
    "a class of a package": ("g.pth", write_state, (*NAMES, *OWN_CLASS), True),
}  # fmt: skip
"""File, writer, arguments, and whether it gives features."""
QUICK = ("ONNX", "a class of a package")
IN_TURN = [
    pytest.param(kind, marks=[] if kind in QUICK else [pytest.mark.slow], id=kind) for kind in KINDS
]


@pytest.fixture
def hospital(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labelled images, and a package of somebody's own."""
    paint(tmp_path, each=30)
    write_package(tmp_path / "site", PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv(TRUSTED, "")
    yield tmp_path
    sys.modules.pop(PACKAGE, None)


def imported(folder: Path, kind: str, *more: str) -> Path:
    name, write, arguments, _ = KINDS[kind]
    source, out = write(folder / name), folder / "imported"
    command = ["import", str(source), "--out", str(out), *arguments, *SIZE, *more]
    assert main([*command, "--check", str(folder / "labels.csv")]) == 0
    return out


def write_recipe(folder: Path, teacher: Path, method: str) -> Path:
    recipe = folder / f"{method}.yaml"
    recipe.write_text(RECIPE.format(
        table=folder / "labels.csv", root=folder, teacher=teacher, method=method,
        policy=lenient.POLICY,
    ))  # fmt: skip
    return recipe


@pytest.mark.parametrize("kind", IN_TURN)
def test_from_a_file_to_a_bundle(
    hospital: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = imported(hospital, kind)
    by_hand = kind not in ("torchvision .pth", "timm .pth", "Hugging Face")
    assert ("accuracy 1.000" in capsys.readouterr().out) == by_hand
    run, bundles = hospital / "run", hospital / "bundles"
    assert main(["distill", str(write_recipe(hospital, teacher, "kd")), "--out", str(run)]) == 0
    build = ["build", "--target", "cpu-onnx", "--model", str(run), "--out", str(bundles)]
    assert main([*build, "--precision", "fp32", "--research"]) == 0
    assert main(["verify", str(bundles / "cpu-onnx")]) == 0
    features = KINDS[kind][3]
    hints = write_recipe(hospital, teacher, "fitnet")
    arguments = ["distill", str(hints), "--out", str(hospital / "hints")]
    code = main([*arguments, "--set", "method.hint_epochs=1", "--set", "student.fit.epochs=1"])
    assert code == (0 if features else 2)


def as_student(teacher: Path, run: Path) -> Path:
    """The import with the images of a run, which `edgekd build` reads beside a student."""
    card = json.loads((teacher / "model.json").read_bytes())
    card["data"] = json.loads((run / "student" / "model.json").read_bytes())["data"]
    (teacher / "model.json").write_text(json.dumps(card | {"role": "student"}))
    (teacher / "split.csv").write_bytes((run / "student" / "split.csv").read_bytes())
    (teacher / "seal.json").unlink()
    return teacher


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ExportedProgram", "a class of a package", "torchvision .pth"])
def test_an_imported_student_is_built(hospital: Path, kind: str) -> None:
    teacher = imported(hospital, kind)
    run = hospital / "run"
    assert main(["distill", str(write_recipe(hospital, teacher, "none")), "--out", str(run)]) == 0
    student = as_student(teacher, run)
    build = ["build", "--target", "cpu-onnx", "--model", str(student), "--policy"]
    build += [str(lenient.POLICY), "--out", str(hospital / "bundles"), "--research"]
    assert main([*build, "--precision", "fp32"]) == 0
    assert main(["verify", str(hospital / "bundles" / "cpu-onnx")]) == 0


def test_an_imported_onnx_is_no_student(hospital: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = imported(hospital, "ONNX")
    capsys.readouterr()
    build = ["build", "--target", "cpu-onnx", "--model", str(teacher)]
    assert main([*build, "--out", str(hospital / "bundles")]) == 2
    assert "ONNX, which can teach a student but cannot be lowered" in capsys.readouterr().err


def test_a_class_of_ones_own_is_a_student(
    hospital: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(hospital, hospital / "imported", "none")
    train: list[Any] = ["train", str(recipe), "--role", "student", "--out", str(hospital / "s")]
    train += ["--set", f"student.model={{arch: '{PACKAGE}:Colours'}}"]
    assert main(train) == 2
    assert f"EDGEKD_TRUST_CODE={PACKAGE}" in capsys.readouterr().err
    monkeypatch.setenv(TRUSTED, PACKAGE)
    assert main(train) == 0
    card = json.loads((hospital / "s" / "model.json").read_bytes())
    assert card["arch"] == f"{PACKAGE}:Colours"
