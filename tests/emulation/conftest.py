from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import lenient
import pytest

from emulation.board import Board
from emulation.comparing import steady, tflite_reach
from emulation.environments import RUNNER, answer_of, ask, build_wheel, make_environments
from emulation.missing import MissingError
from emulation.userland import Userland, open_userland

PHOTOS = 24
LARGE = "large.jpg"

Maker = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def wheel(made_once: Maker) -> Path:
    """The wheel of this checkout."""
    try:
        folder = made_once("wheel", build_wheel)
    except MissingError as missing:
        pytest.skip(str(missing))
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def environments(made_once: Maker, wheel: Path) -> Path:
    """The folder of the plain environments `litert` and `tflite` of this machine."""
    try:
        return made_once("environments", lambda folder: make_environments(folder, wheel))
    except MissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def photos(made_once: Maker, small_run: Path) -> list[Path]:
    """Painted photos as files, one of them large enough for a scaled decode."""

    def make(folder: Path) -> None:
        folder.mkdir()
        painted = sorted((small_run / "data" / "images").glob("*.jpg"))[:PHOTOS]
        for photo in painted[1:]:
            shutil.copy(photo, folder)
        small = cv2.imread(str(painted[0]))
        assert small is not None
        large = cv2.resize(small, (1599, 1201), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / LARGE), large)

    return sorted(made_once("photos", make).glob("*.jpg"))


@pytest.fixture(scope="session")
def rpi_bundles(request: pytest.FixtureRequest, made_once: Maker) -> Path:
    """The folder of `rpi-fp32` and `rpi-int8`: those of all tests, or these two alone."""
    if "emulated" not in request.config.option.markexpr:
        folder: Path = request.getfixturevalue("bundles")
        return folder
    run = request.getfixturevalue("small_run")

    def make(folder: Path) -> None:
        from edgekd.cli import main

        arguments = ["--target", "rpi", "--model", str(run), "--out", str(folder)]
        arguments += ["--policy", str(lenient.POLICY), "--precision", "fp32,int8"]
        assert main(["build", *arguments]) == 0

    return made_once("run/rpi-bundles", make)


@pytest.fixture(scope="session")
def development(rpi_bundles: Path, photos: list[Path]) -> dict[str, dict[str, Any]]:
    """What the environment of this test says, for each precision."""
    precisions = ("fp32", "int8")
    return {name: ask(sys.executable, rpi_bundles / f"rpi-{name}", photos) for name in precisions}


@pytest.fixture(scope="session")
def few(
    rpi_bundles: Path, photos: list[Path], development: dict[str, dict[str, Any]]
) -> list[Path]:
    """Four photos: the large one, then as many sorts of answers as there are."""
    here = development["int8"]
    settled = steady(here, rpi_bundles / "rpi-int8", tflite_reach(here, "int8"))
    answers = {photo: here["photos"][photo.name] for photo in photos if photo.name in settled}
    decisions = {answer["decision"]: photo for photo, answer in answers.items()}
    labels = {answer["label"]: photo for photo, answer in answers.items()}
    large = next(photo for photo in photos if photo.name == LARGE)
    return list(dict.fromkeys([large, *decisions.values(), *labels.values()]))[:4]


@pytest.fixture(scope="session")
def userland() -> Userland:
    """The arm64 userland."""
    try:
        return open_userland()
    except MissingError as missing:
        pytest.skip(f"no emulated board: {missing}")


@pytest.fixture(scope="session")
def board(
    userland: Userland, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Board]:
    """Boards by name, each with edgekd (from the wheel) in `site` of its home."""
    boards: dict[str, Board] = {}

    def get(name: str) -> Board:
        if name not in boards:
            boards[name] = Board(userland, name, tmp_path_factory.mktemp(name))
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(boards[name].home / "site")
        return boards[name]

    return get


@pytest.fixture(scope="session")
def ask_board(board: Callable[[str], Board], rpi_bundles: Path) -> Callable[..., dict[str, Any]]:
    """Run the runner on a board: name, plain environment, precision, photos."""

    def run(name: str, environment: str, precision: str, photos: list[Path]) -> dict[str, Any]:
        stand_in = board(name)
        try:
            site = stand_in.userland.site(environment)
        except MissingError as missing:
            pytest.skip(str(missing))
        files = [stand_in.copy_in(p) for p in (RUNNER, rpi_bundles / f"rpi-{precision}", *photos)]
        packages = {"PYTHONPATH": f"{stand_in.home_there}/site:{site}"}
        return answer_of(stand_in.run(["python3", *files], env=packages))

    return run
