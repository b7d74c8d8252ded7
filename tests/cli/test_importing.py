"""`edgekd import`, as a user calls it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from colours import CLASSES, colours_network, paint, write_package
from commands import refused
from model_files import write_onnx

from edgekd.cli import main
from edgekd.models import read_card
from edgekd.models.trust import TRUSTED

NAMES = ",".join(CLASSES)
HALF = ["--mean", "0.5", "--std", "0.5", "--size", "32"]


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("painted")
    paint(folder, each=12)
    return folder


def test_import_and_check(
    tmp_path: Path, painted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(tmp_path / "a.onnx")
    arguments = ["import", str(tmp_path / "a.onnx"), "--classes", NAMES, *HALF]
    arguments += ["--out", str(tmp_path / "out"), "--check", str(painted / "labels.csv")]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "48 images: accuracy 1.000, balanced accuracy 1.000" in printed.out
    assert printed.out.splitlines()[-1].split() == ["white", "0", "0", "0", "12"]
    assert "input: 32 px of the centre" in printed.err
    assert "a teacher of outputs alone, as kd takes them" in printed.err
    assert "warning" not in printed.err


def test_a_wrong_mean_and_exchanged_classes_are_warned_of(
    tmp_path: Path, painted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(tmp_path / "a.onnx")
    arguments = ["import", str(tmp_path / "a.onnx"), "--out", str(tmp_path / "out"), "--json"]
    arguments += ["--check", str(painted / "labels.csv"), "--images", str(painted)]
    assert main([*arguments, "--classes", "blue,red,grey,white", *HALF]) == 0
    printed = capsys.readouterr()
    assert "warning: images are mostly answered" in printed.err
    check = json.loads(printed.out)["check"]
    assert check["confusion"][0] == [0, 12, 0, 0]
    scaled = ["--scale", "255", "--mean", "0", "--std", "255", "--size", "32"]
    assert main([*arguments, "--classes", NAMES, *scaled]) == 0
    printed = capsys.readouterr()
    # Which of the usual pairs is best depends on the processor: several are right on all images.
    assert re.search(r"warning: --mean [\d.,]+ --std [\d.,]+ would be right on 1.000", printed.err)
    assert json.loads(printed.out)["card"]["std"] == [1.0, 1.0, 1.0]


def test_a_class_of_ones_own_is_said_to_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arch = write_package(tmp_path / "site", "networks_of_the_shell")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv(TRUSTED, "")
    torch.save(colours_network().state_dict(), tmp_path / "a.pth")
    arguments = ["import", str(tmp_path / "a.pth"), "--classes", NAMES, "--arch", arch, *HALF]
    arguments += ["--out", str(tmp_path / "out"), "--map", "red=colour", "--map", "blue=colour"]
    refused(capsys, arguments, 2, "is code", "--trust-code")
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--trust-code", "--kwargs", '{"softmax": true}']) == 0
    assert "code of this file and of --arch is run" in capsys.readouterr().err
    card = read_card(tmp_path / "out")
    assert card.classes == ("colour", "grey", "white")
    assert card.arch_options == {"softmax": True}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--kwargs", "{"], "is no JSON object"),
        (["--mean", "1,2"], "not one number or three"),
        (["--std", "0"], "not one number or three"),
        (["--scale", "0", "--mean", "1"], "not one number or three"),
        (["--size", "3"], "is no side"),
        (["--crop", "2"], "is no share"),
        (["--map", "nothing"], "form NAME=CLASS"),
        (["--classes", "one"], "names 1 classes"),
        (["--layout", "nhwc", "--size", "64"], "of 32 px alone"),
    ],
)
def test_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    write_onnx(tmp_path / "a.onnx")
    arguments = ["import", str(tmp_path / "a.onnx"), "--out", str(tmp_path / "out")]
    refused(capsys, [*arguments, "--classes", NAMES, *flags], 2, words)
    assert not (tmp_path / "out").exists()
