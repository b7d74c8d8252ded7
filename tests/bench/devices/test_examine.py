"""`edgekd doctor --device`: a board is looked at before anything is measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from emulation.sshd import Sshd

from edgekd.cli import main


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write the devices.toml of an empty project folder: one device, `rpi`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGEKD_DEVICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))

    def write(**keys: object) -> None:
        lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
        (tmp_path / "devices.toml").write_text("\n".join(["[rpi]", *lines]) + "\n")

    return write


@pytest.fixture
def here(sshd: Sshd, tmp_path: Path) -> dict[str, object]:
    """This machine as the board."""
    board = {"kind": "ssh", "host": sshd.host, "options": sshd.options}
    return board | {"python": sys.executable, "folder": str(tmp_path / "board")}


def test_a_board_that_is_ready(configure, here, capsys) -> None:
    configure(**here)
    assert main(["doctor", "--device", "rpi"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok      reach it: by ssh board: ")
    assert any(line.startswith("ok      Python: 3.") for line in lines)
    assert any(line.startswith("ok      import ai-edge-litert: ai_edge_litert") for line in lines)
    assert any("disk: " in line and "MB are free" in line for line in lines)


def test_the_same_for_programs(configure, here, capsys) -> None:
    configure(**here)
    assert main(["doctor", "--device", "rpi", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["device"], report["kind"], report["target"]) == ("rpi", "ssh", "rpi")
    assert report["reachable"] is True
    assert report["facts"]["emulated"] is False
    assert report["facts"]["disk_free_bytes"] > 0
    assert {"subject", "works", "needed", "detail"} == report["observations"][0].keys()


def test_a_board_that_lacks_packages(configure, here, tmp_path: Path, capsys) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    configure(**here | {"python": str(python)})
    assert main(["doctor", "--device", "rpi"]) == 3
    said = capsys.readouterr()
    needs = "numpy, msgspec, opencv-python-headless, ai-edge-litert"
    assert f"missing packages {needs}: not there" in said.out
    assert "--wheelhouse" in said.err


def test_a_board_that_does_not_answer(configure, here, capsys) -> None:
    configure(**here | {"options": ["-F", "/dev/null", "-p", "1"], "host": "127.0.0.1"})
    assert main(["doctor", "--device", "rpi"]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert "error: ssh 127.0.0.1: " in said.err
    assert "try it by hand: ssh -o BatchMode=yes -F /dev/null -p 1 127.0.0.1 true" in said.err
    assert main(["doctor", "--device", "rpi", "--json"]) == 5
    report = json.loads(capsys.readouterr().out)
    assert report["reachable"] is False
    assert "refused" in report["why"]


def test_a_device_that_is_not_configured(configure, here, capsys) -> None:
    configure(**here)
    assert main(["doctor", "--device", "jetson"]) == 2
    assert "add it to devices.toml" in capsys.readouterr().err


def test_this_machine_is_no_device_of_a_file(configure, here, capsys) -> None:
    configure(**here)
    assert main(["doctor", "--device", "cpu"]) == 2
    assert "edgekd doctor --target cpu" in capsys.readouterr().err
