"""Progress of a command: on stderr unless it is quiet, and in a log with date and time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekd.cli.console import say, ticker
from edgekd.cli.output import is_quiet, log_line, output_of, stamped, training_output
from edgekd.errors import InputError, StoppedError

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d "


def test_a_log_has_every_line_with_its_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "run.log"
    for number in range(2):  # a resumed run goes on in the same file
        with output_of(False, log):
            say(f"line {number}")
            say("  student epoch 1/2", timed=True)
    say("outside")
    lines = log.read_text().splitlines()
    assert [re.sub(TIME, "", line) for line in lines] == [
        "line 0", "student epoch 1/2", "line 1", "student epoch 1/2",
    ]  # fmt: skip
    assert all(re.match(TIME, line) for line in lines)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "line 0"
    assert re.fullmatch(r"\d\d:\d\d:\d\d student epoch 1/2", printed[1])


def test_quiet_keeps_stderr_empty_but_not_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with output_of(True, tmp_path / "run.log"):
        assert is_quiet()
        assert not training_output().bar
        training_output().line("epoch 1")
        ticker("images")(10, 10)
        say("done")
    assert not is_quiet()
    assert capsys.readouterr().err == ""
    assert len((tmp_path / "run.log").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("no images", "give some"), "error: no images"),
        (KeyboardInterrupt(), "interrupted"),
        (StoppedError("saved after 2 epochs", 143), "saved after 2 epochs"),
    ],
)
def test_how_a_command_ended_is_logged(tmp_path: Path, error: BaseException, line: str) -> None:
    log = tmp_path / "run.log"
    with pytest.raises(type(error)), output_of(False, log):
        raise error
    assert re.sub(TIME, "", log.read_text()) == f"{line}\n"
    log_line("later")
    assert log.read_text().count("\n") == 1


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"), output_of(False, tmp_path):
        pass


def test_a_terminal_needs_no_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert stamped("  epoch 1") == "  epoch 1"
