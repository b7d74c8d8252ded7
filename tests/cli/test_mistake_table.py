"""Every mistake with a file or a folder that a verb's own declarations allow.

Two lines, the right exit code, nothing half-written, no traceback.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mistake_table import (
    EXAMPLES,
    FORMS,
    LOCKED_SPOILS,
    Outcome,
    Row,
    complaint,
    make_examples,
    rows,
    run_row,
    verbs,
)

from edgekd.cli.places import Reads

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def examples(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return made_once("mistakes", make_examples)


def test_every_parameter_that_is_a_path_says_what_it_is() -> None:
    """Else a new verb would be in the table without its files."""
    for verb in verbs():
        for name, hint in verb.function.__annotations__.items():
            assert "Path" not in str(hint) or name in verb.places, f"{verb.name}: {name}"


def test_every_place_of_a_verb_is_in_one_of_its_forms() -> None:
    assert FORMS.keys() <= {verb.name for verb in verbs()}
    for verb in verbs():
        assert {name for form in verb.forms() for name in form} == set(verb.places), verb.name


def test_there_is_an_example_of_everything_that_is_read() -> None:
    assert set(EXAMPLES) == set(Reads)


@pytest.mark.parametrize("row", rows(), ids=str)
def test_a_mistake_is_told_in_two_lines(row: Row, examples: Path, tmp_path: Path) -> None:
    outcomes = list(run_row(row, examples, tmp_path / "work"))
    assert outcomes
    wrong = [told for outcome in outcomes if (told := complaint(row, outcome))]
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="session")
def told_without_rights(
    examples: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Row, Outcome]]:
    """What came of the rows that take a process which permissions bind."""
    command = [sys.executable, str(HERE / "mistake_table.py"), str(examples), *LOCKED_SPOILS]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root's rights cannot be dropped without setpriv, of util-linux")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["lacks"], "this process may read everything: no permission can be tested"
    return [(Row(**row), Outcome(**outcome)) for row, outcome in told["told"]]


@pytest.mark.parametrize("row", rows(locked=True), ids=str)
def test_what_may_not_be_read_or_written_is_told(
    row: Row, told_without_rights: list[tuple[Row, Outcome]]
) -> None:
    outcomes = [outcome for own, outcome in told_without_rights if own == row]
    assert outcomes
    wrong = [told for outcome in outcomes if (told := complaint(row, outcome))]
    assert not wrong, "\n".join(wrong)
