"""The systemd units of targets/rpi: what they start exists, and systemd takes them."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from tiny_bundles import ANSWER, REFER, write_video

from edgekd import errors
from edgekd.cli import main
from edgekd.resources import target_folders

HOME = "/opt/edgekd"
UNITS = ["edgekd.service", "edgekd-server.service"]


@pytest.fixture(scope="module")
def folder() -> Path:
    (found,) = [folder for folder in target_folders() if folder.name == "rpi"]
    return found


def section(unit: Path, name: str = "Service") -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return dict(parser[name])


def started(unit: Path) -> list[str]:
    return shlex.split(section(unit)["ExecStart"])


@pytest.mark.parametrize("name", UNITS)
def test_nobody_privileged_and_nothing_new(folder: Path, name: str) -> None:
    service = section(folder / name)
    assert service["User"] == "edgekd"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["IPAddressDeny"] == "any"
    assert "MemoryMax" in service


def test_the_camera_loop_has_no_network_and_the_camera(folder: Path) -> None:
    service = section(folder / "edgekd.service")
    assert service["PrivateNetwork"] == "yes"
    assert service["RestrictAddressFamilies"] == "AF_UNIX"
    assert service["DeviceAllow"] == "char-video4linux rw"
    assert service["SupplementaryGroups"] == "video"


@pytest.mark.parametrize("name", UNITS)
def test_what_cannot_get_better_is_not_tried_again(folder: Path, name: str) -> None:
    service = section(folder / name)
    assert service["Restart"] == "on-failure"
    hopeless = errors.InputError, errors.MissingDependencyError, errors.ArtefactError
    codes = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert codes == {error.exit_code for error in hopeless}


def test_every_option_is_one_of_predict(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, verb, *rest = started(folder / "edgekd.service")
    assert (program, verb) == (f"{HOME}/bin/edgekd", "predict")
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["predict", "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    used = {word for word in rest if word.startswith("--")}
    readme = (folder / "README.md").read_text()
    used |= {
        word for word in re.findall(r"--[a-z-]+", readme) if word in ("--public-key", "--screen")
    }
    assert used >= {"--camera", "--headless", "--json", "--public-key", "--screen"}
    assert used <= known


def test_the_camera_loop_runs_as_written(
    folder: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_video(tmp_path / "camera.avi", [ANSWER, REFER])
    replaced = {f"{HOME}/bundle": str(bundle), "0": str(video)}
    arguments = [replaced.get(word, word) for word in started(folder / "edgekd.service")[1:]]
    assert arguments.pop() == "$EDGEKD_OPTIONS"  # not set, it is no argument at all
    assert main(arguments) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["decision"] for line in lines] == ["answer", "refer"]


def test_the_server_is_the_example_and_is_heard_on_this_board_alone(
    folder: Path, examples: Path
) -> None:
    unit = folder / "edgekd-server.service"
    words = started(unit)
    assert words[:2] == [f"{HOME}/bin/uvicorn", "app:app"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--app-dir") + 1] == f"{HOME}/server"
    code = (examples / "server" / "app.py").read_text()
    names = set(re.findall(r"EDGEKD_[A-Z_]+", unit.read_text())) - {"EDGEKD_CACHE"}
    assert names == {"EDGEKD_BUNDLE", "EDGEKD_PUBLIC_KEY", "EDGEKD_THREADS"}
    assert all(f'"{name}"' in code for name in names)


@pytest.mark.parametrize("name", UNITS)
def test_the_readme_makes_what_the_unit_needs(folder: Path, name: str) -> None:
    readme = (folder / "README.md").read_text()
    needed = set(re.findall(r"/(?:opt|etc)/edgekd/(?!bin/)[\w.]+", (folder / name).read_text()))
    assert f"{HOME}/bundle" in needed
    for path in needed:
        assert path in readme, path
    assert "useradd --system" in readme
    assert f"sudo cp {name} /etc/systemd/system/" in readme


@pytest.fixture
def installed(folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The unit as systemd would find it, with programs where it looks for them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    for program in ("edgekd", "uvicorn"):
        (home / "bin" / program).write_text("#!/bin/sh\n")
        (home / "bin" / program).chmod(0o755)
    unit = tmp_path / str(request.param)
    unit.write_text((folder / unit.name).read_text().replace(HOME, str(home)))
    return unit


def analysed(*arguments: str | Path) -> str:
    command = ["systemd-analyze", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("installed", UNITS, indirect=True)
def test_systemd_takes_the_unit_without_a_word(installed: Path) -> None:
    assert installed.name not in analysed("verify", "--man=no", installed)


@pytest.mark.parametrize("installed", UNITS, indirect=True)
def test_systemd_finds_little_exposed(installed: Path) -> None:
    version = int(analysed("--version").split()[1].split(".")[0])
    if version < 250:
        pytest.skip("systemd-analyze judges files from version 250 on")
    said = analysed("security", "--offline=true", "--no-pager", installed)
    (level,) = re.findall(r"Overall exposure level for \S+: (\d+\.\d)", said)
    assert float(level) <= 2.0
