"""Which wheels of a folder a board gets."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.probe import BASE, BoardFacts, DeviceLacksError, ask_board
from edgekd.bench.devices.wheels import choose_wheels, first_of, read_wheelhouse
from edgekd.bench.measure.job import Job
from edgekd.errors import InputError

PI = BoardFacts(
    python=(3, 11, 2),
    implementation="CPython",
    machine="aarch64",
    glibc_version="2.36",
    model="Raspberry Pi 4 Model B Rev 1.4",
    stand_in="",
    modules=[],
    ram_bytes=1,
    ram_free_bytes=1,
    swap_used_bytes=0,
    governor="ondemand",
    load="0.1",
    temperatures_c={},
    throttled=0,
)


def _wheel(folder: Path, name: str, requires: tuple[str, ...] = (), **files: str) -> Path:
    """A wheel as pip builds it, but for its RECORD."""
    path = folder / f"{name}.whl"
    distribution, version = name.split("-")[:2]
    lines = ["Metadata-Version: 2.1", f"Name: {distribution}", f"Version: {version}"]
    lines += [f"Requires-Dist: {line}" for line in requires]
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{distribution}-{version}.dist-info/METADATA", "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "tags, fits",
    [
        ("cp311-cp311-manylinux_2_28_aarch64", True),
        ("cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64", True),
        ("cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64", True),
        ("cp311-cp311-manylinux_2_39_aarch64", False),  # a newer C library
        ("cp311-cp311-manylinux_2_28_x86_64", False),
        ("cp313-cp313-manylinux_2_28_aarch64", False),
        ("cp37-abi3-manylinux2014_aarch64", True),
        ("cp312-abi3-manylinux2014_aarch64", False),
        ("cp311-cp311-musllinux_1_2_aarch64", False),
        ("cp311-cp311-linux_aarch64", True),
        ("cp311-cp311-macosx_11_0_arm64", False),
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
        ("py3-none-manylinux2014_aarch64", True),
    ],
)
def test_tags(tmp_path: Path, tags: str, fits: bool) -> None:
    _wheel(tmp_path, f"numpy-2.4.6-{tags}")
    (wheel,) = read_wheelhouse(tmp_path)
    assert wheel.fits(PI) is fits


@pytest.mark.parametrize("tags", ["cp310-cp310-manylinux_2_28_aarch64", "py3-none-any"])
def test_pip_agrees(tmp_path: Path, tags: str) -> None:
    """The same question to packaging, which pip is made of."""
    packaging = pytest.importorskip("packaging.tags", reason="pip install packaging")
    _wheel(tmp_path, f"numpy-2.4.6-{tags}")
    (wheel,) = read_wheelhouse(tmp_path)
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)]
    platforms += ["manylinux2014_aarch64", "linux_aarch64"]
    known = {
        *packaging.cpython_tags((3, 11), ["cp311"], platforms),
        *packaging.compatible_tags((3, 11), "cp311", platforms),
    }
    from packaging.utils import parse_wheel_filename

    assert wheel.fits(PI) is bool(parse_wheel_filename(wheel.path.name)[3] & known)


def test_the_newest_that_fits_and_what_it_needs(tmp_path: Path) -> None:
    tail = "cp311-cp311-manylinux_2_28_aarch64"
    for name in (f"numpy-2.9.0-{tail}", f"numpy-2.10.0-{tail}", f"numpy-2.10.0rc1-{tail}"):
        _wheel(tmp_path, name)
    _wheel(tmp_path, f"numpy-3.0.0-{tail.replace('aarch64', 'x86_64')}")
    needs = ("numpy>=2", "Backports.Strenum; python_version < '3.11'", "tool; extra == 'dev'")
    _wheel(tmp_path, f"ai_edge_litert-2.3.0-{tail}", needs)
    _wheel(tmp_path, "backports_strenum-1.3.1-py3-none-any")
    _wheel(tmp_path, "tool-1.0-py3-none-any")
    _wheel(tmp_path, "unasked-1.0-py3-none-any")
    chosen, foreign = choose_wheels(read_wheelhouse(tmp_path), ["ai-edge-litert"], PI)
    names = [f"{wheel.name} {wheel.version}" for wheel in chosen]
    assert names == ["ai-edge-litert 2.3.0", "backports-strenum 1.3.1", "numpy 2.10.0"]
    assert foreign == []


def test_wheels_for_another_machine_are_told(tmp_path: Path) -> None:
    _wheel(tmp_path, "numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64")
    assert choose_wheels(read_wheelhouse(tmp_path), ["numpy"], PI) == ([], ["numpy"])


def test_either_opencv_will_do(tmp_path: Path) -> None:
    _wheel(tmp_path, "opencv_python-4.12-cp37-abi3-manylinux2014_aarch64")
    assert first_of(BASE[2], read_wheelhouse(tmp_path)) == "opencv-python"
    assert first_of(BASE[0], read_wheelhouse(tmp_path)) == "numpy"


def test_a_folder_without_wheels_is_told(tmp_path: Path) -> None:
    (tmp_path / "numpy.whl").write_bytes(b"")
    with pytest.raises(InputError, match="no wheels"):
        read_wheelhouse(tmp_path)


def _bare(tmp_path: Path) -> str:
    """A Python with the standard library, and OpenCV as a system's package."""
    import cv2

    system = tmp_path / "system"
    system.mkdir(exist_ok=True)
    if not (system / "cv2").exists():
        for entry in Path(cv2.__file__).parents[1].glob("opencv_python_headless*.libs"):
            (system / entry.name).symlink_to(entry)
        (system / "cv2").symlink_to(Path(cv2.__file__).parent)
    python = tmp_path / "python"
    path = f"PYTHONPATH=$PYTHONPATH:{system}"
    python.write_text(f'#!/bin/sh\n{path} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_a_board_gets_what_it_lacks_and_keeps_it(make_device, tmp_path: Path) -> None:
    """Packages of this environment, made wheels again, for a Python that has none."""
    house = tmp_path / "wheels"
    house.mkdir()
    for name in ("numpy", "msgspec"):
        _repack(name, house)
    told: list[str] = []
    device = make_device(python=_bare(tmp_path), wheelhouse=house)
    device.prepare([], [], told.append)
    assert device.run(Job(kind="facts")).machine["packages"].keys() >= {"numpy"}
    assert sum("copying" in line for line in told) == 2  # the runner, then the wheels
    told.clear()
    again = make_device(python=_bare(tmp_path), wheelhouse=house)
    again.prepare([], [], told.append)
    assert told == []


def test_wheels_that_do_not_fit_are_told_with_what_would(make_device, tmp_path: Path) -> None:
    house = tmp_path / "wheels"
    house.mkdir()
    _wheel(house, "numpy-2.4.6-cp311-cp311-manylinux_2_28_riscv64")
    with pytest.raises(DeviceLacksError, match=r"numpy .*do not fit rpi") as lacks:
        make_device(python=_bare(tmp_path), wheelhouse=house).facts()
    facts = ask_board(CommandTransport("here", []), sys.executable)
    assert f"on {facts.machine}" in lacks.value.hint


def _repack(name: str, house: Path) -> None:
    """A wheel of an installed distribution, with the tags that it came with."""
    from importlib.metadata import distribution

    found = distribution(name)
    tags = [
        line.split(": ")[1]
        for line in (found.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag: ")
    ]
    file = house / f"{name.replace('-', '_')}-{found.version}-{tags[0]}.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for member in found.files or ():
            if ".." not in member.parts and "__pycache__" not in member.parts:
                archive.write(member.locate(), member.as_posix())


def test_facts_say_no_more_than_they_know() -> None:
    musl = msgspec.structs.replace(PI, glibc_version="")
    assert musl.glibc is None
    assert not musl.emulated
