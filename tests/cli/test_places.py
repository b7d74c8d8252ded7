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
from mistakes.complaints import complaint
from mistakes.examples import EXAMPLES
from mistakes.rows import Outcome, Row, rows, run_row
from mistakes.spoils import LOCKED_SPOILS
from mistakes.verbs import FORMS, LONG_FORMS, verbs

from edgekd.cli.places import Reads

HERE = Path(__file__).parent


def test_every_parameter_that_is_a_path_says_what_it_is() -> None:
    """Else a new verb would be in the table without its files."""
    for verb in verbs():
        for name, hint in verb.function.__annotations__.items():
            assert "Path" not in str(hint) or name in verb.places, f"{verb.name}: {name}"


def test_every_place_of_a_verb_is_in_one_of_its_forms() -> None:
    assert FORMS.keys() <= {verb.name for verb in verbs()}
    for verb in verbs():
        long = {name for of, name in LONG_FORMS if of == verb.name}
        assert {name for form in verb.forms() for name in form} == set(verb.places) - long, (
            verb.name
        )


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
    examples: Path, made_once: Callable[[str, Callable[[Path], None]], Path]
) -> list[tuple[Row, Outcome]]:
    """What came of the rows that take a process which permissions bind."""
    command = [sys.executable, "-m", "mistakes", str(examples), *LOCKED_SPOILS]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root's rights cannot be dropped without setpriv, of util-linux")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]

    def make(folder: Path) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
        assert done.returncode == 0, done.stderr
        folder.mkdir()
        (folder / "told.json").write_text(done.stdout)

    told = json.loads((made_once("mistakes-without-rights", make) / "told.json").read_text())
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


HIDE = """
import importlib.machinery, os, sys

class Without(importlib.machinery.PathFinder):
    \"\"\"Finds what is installed, but for some packages: as if they were not.\"\"\"

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["WITHOUT"].split(","):
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Without
"""
"""Of every Python process below, also of those that a verb starts."""

OPTIONAL = (
    "ai_edge_litert", "ai_edge_quantizer", "cryptography", "cuda", "jinja2", "lightning",
    "litert_torch", "nncf", "onnx", "onnxruntime", "onnxscript", "openvino", "pydicom",
    "safetensors", "scipy", "sklearn", "tensorrt", "tflite_runtime", "timm", "torch",
    "torchmetrics", "torchvision", "yaml",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "without",
    [
        pytest.param(OPTIONAL, id="all"),
        pytest.param(("torch", "cryptography", "jinja2"), id="torch-cryptography-jinja2"),
    ],
)
def test_a_missing_package_is_told_with_its_extra(
    without: tuple[str, ...], examples: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "mistakes"
    shutil.copytree(examples, copy)
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    folders = os.pathsep.join(map(str, (tmp_path, HERE)))
    done = subprocess.run(
        [sys.executable, "-m", "mistakes", str(copy), "good"],
        env=os.environ | {"PYTHONPATH": folders, "WITHOUT": ",".join(without)},
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcomes = [Outcome(**outcome) for outcome in json.loads(done.stdout)]
    lacking = [outcome for outcome in outcomes if outcome.code == 3]
    wrong = [
        f"{outcome.code} {outcome.words}\n{outcome.err}"
        for outcome in outcomes
        if outcome.code not in (0, 3)
    ]
    for outcome in lacking:
        lines = outcome.err.splitlines()
        two = len(lines) == 2 and "is not installed; it is needed to" in lines[0]
        if not two or "pip install" not in lines[1] or outcome.changed or outcome.out:
            wrong.append(f"{outcome.words}\n{outcome.err}{outcome.out}{outcome.changed}")
    assert not wrong, "\n".join(wrong)
    assert lacking
