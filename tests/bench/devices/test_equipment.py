"""What a board is equipped with: nothing is sent twice, and a removed folder is noticed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgekd.bench.devices.command import CommandTransport
from edgekd.bench.devices.equipment import Equipment
from edgekd.errors import InputError


@pytest.fixture
def equipment(tmp_path) -> Equipment:
    """Of this machine, reached by a command."""
    link = CommandTransport("here", ["env"])
    return Equipment("here", link, sys.executable, str(tmp_path / "board"), None)


def test_files_are_deployed_once(equipment, data) -> None:
    images, lines = data.paths[:2], []
    assert equipment.place_of(str(images[0])) is None
    equipment.deploy([], images, lines.append)
    place = equipment.place_of(str(images[0].resolve()))
    assert place is not None
    assert Path(place).read_bytes() == images[0].read_bytes()
    assert len(lines) == 1
    equipment.deploy([], images, lines.append)
    assert len(lines) == 1
    equipment.forget()
    assert equipment.place_of(str(images[0].resolve())) is None


def test_a_file_that_is_not_on_this_machine(equipment, tmp_path) -> None:
    with pytest.raises(InputError, match=r"nothing\.jpg"):
        equipment.deploy([], [tmp_path / "nothing.jpg"], lambda line: None)


def test_the_board_is_asked_once(equipment) -> None:
    board = equipment.board()
    assert board is equipment.board()
    assert board.python_version >= (3, 10)
