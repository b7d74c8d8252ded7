"""`edgekd cache`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from edgekd.cli import main


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two files in a cache, of 1000 bytes each, one of them forty days old."""
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "cache"))
    made = [tmp_path / "cache" / "students" / f"{name}.npy" for name in ("old", "new")]
    for file, days in zip(made, (40, 1), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * 1000)
        os.utime(file, (time.time() - 86_400 * days,) * 2)
    return made


def test_lists_entries_with_size_and_last_use(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["cache"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "students/old.npy" in lines[0]
    assert "1.0 kB" in lines[0]
    assert "used 20" in lines[0]
    assert lines[2] == f"{tmp_path / 'cache'}: 2 entries, 2.0 kB"


def test_json_has_the_same(capsys: pytest.CaptureFixture[str], files: list[Path]) -> None:
    assert main(["cache", "--older", "30d", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [entry["path"] for entry in result["entries"]] == [str(files[1])]
    assert [entry["path"] for entry in result["removed"]] == [str(files[0])]
    assert result["bytes"] == 1000
    assert result["entries"][0]["in_use"] is False
    assert result["entries"][0]["last_use"].endswith("+00:00")


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--older", "30d"], ["new"]), (["--older", "50d"], ["old", "new"]),
        (["--older", "12h"], []), (["--max-size", "1.5kB"], ["new"]),
        (["--max-size", "1KiB"], ["new"]), (["--max-size", "2 kB"], ["old", "new"]),
        (["--max-size", "999"], []), (["--clear"], []),
        (["--max-size", "1GB", "--older", "5w"], ["new"]),
    ],
)  # fmt: skip
def test_removes_what_the_options_say(
    words: list[str], left: list[str], files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", *words]) == 0
    assert [file.stem for file in files if file.exists()] == left
    assert ("removed" in capsys.readouterr().out) == (len(left) < 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-size", "many"], "'many' is not a size"),
        (["--max-size", "5 PB"], "'5 PB' is not a size"),
        (["--older", "30"], "'30' is not an age"),
        (["--older", "-1d"], "'-1d' is not an age"),
        (["--clear", "--older", "1d"], "--clear removes everything"),
    ],
)
def test_mistakes_remove_nothing(
    words: list[str], message: str, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", *words]) == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert all(file.exists() for file in files)
