"""`edgekd schema`."""

from __future__ import annotations

import json

import pytest
from commands import refused

from edgekd.cli import main
from edgekd.cli.schema import KindName
from edgekd.schemas import KINDS


def test_every_kind_is_a_word_of_the_command() -> None:
    assert tuple(kind.value for kind in KindName) == KINDS


def test_the_schema_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "policy"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["title"] == "edgekd policy"
    assert printed.err == ""


def test_another_kind_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["schema", "report"], 2, "report")
