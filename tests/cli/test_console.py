"""What the commands print: in poor encodings, into closed or full places, to readers that go."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgekd.cli import main
from edgekd.cli.console import emit_json, exit_code_of

PRINTS = """
import sys
import tempfile
from pathlib import Path
from edgekd.cli.console import emit_json, exit_code_of, say

def work():
    say("progress × 1 … ≥")
    print("2 × 3 ≥ 5 – “σ” ° 黒")
    emit_json({"name": "×"})

sys.exit(exit_code_of(work))
"""


def run(code: str, environment: dict[str, str] | None = None, shell: str = "") -> tuple[int, str]:
    """Exit code and all that was said, of a process; `shell` is put behind its command."""
    with tempfile.NamedTemporaryFile(suffix=".py") as program:
        Path(program.name).write_text(code, encoding="utf-8")
        done = subprocess.run(
            ["sh", "-c", f'"$0" "$1" {shell}', sys.executable, program.name],
            env=os.environ | (environment or {}), capture_output=True, check=False,
        )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
        {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_a_poor_encoding_is_no_traceback(environment: dict[str, str]) -> None:
    code, said = run(PRINTS, environment)
    assert code == 0, said
    assert "2 " in said
    assert ">= 5" in said or "≥ 5" in said
    for verb in ("--help", "compare --help", "bench --help"):
        words = ", ".join(map(repr, verb.split()))
        code, said = run(f"import sys; from edgekd.cli import main; sys.exit(main([{words}]))",
                         environment)  # fmt: skip
        assert code == 0, said
        assert "Traceback" not in said


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    """Printed as the bytes that it is, and escaped in a message."""
    name = os.fsdecode(b"caf\xe9.jpg")
    head = "import sys; from edgekd.cli.console import exit_code_of; from edgekd.cli import main\n"
    utf8 = {"PYTHONIOENCODING": "utf-8"}
    code, said = run(f"{head}sys.exit(exit_code_of(lambda: print({name!r})))", utf8)
    assert (code, said) == (0, "caf\\xe9.jpg\n")
    code, said = run(f"{head}sys.exit(main(['verify', {name!r}]))", utf8)
    assert code == 2
    assert "caf\\udce9.jpg" in said.splitlines()[0]
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str) -> None:
    code, said = run(PRINTS, shell=closed)
    assert code == 0, said
    assert "Traceback" not in said


def test_a_full_stdout_is_told() -> None:
    code, said = run(PRINTS, shell="> /dev/full")
    assert code == 2
    assert said.splitlines()[-2:] == [
        "error: No space left on device",
        "       make room there, or choose a place on another disk",
    ]


GONE = """
import os, sys
from edgekd.cli import main
from edgekd.cli.console import exit_code_of
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, int(sys.argv[1]))
def work():
    for _ in range(10000):
        print("a line", file=sys.stdout if sys.argv[1] == "1" else sys.stderr, flush=False)
sys.exit(exit_code_of(work) if len(sys.argv) < 3 else main(["--help"]))
"""


def test_a_reader_that_went_ends_the_command_in_silence() -> None:
    for more in ([], ["help"]):
        command = [sys.executable, "-c", GONE, "1", *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (141, "")


def test_nobody_reads_the_progress() -> None:
    """A training of hours does not end for that."""
    code = f"import os; r, w = os.pipe(); os.close(r); os.dup2(w, 2)\n{PRINTS}"
    status, said = run(code)
    assert status == 0
    assert "≥ 5" in said


def test_stdout_that_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: emit_json({"a": 1})) == 0
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'


def test_usage_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["predict"], ["nothing"], ["bench", "--devic", "cpu"], ["train", "demo"]):
        assert main(words) == 2
        first, second = capsys.readouterr().err.splitlines()
        assert first.startswith("error: ")
        assert second.startswith("       see edgekd")
