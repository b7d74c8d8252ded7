"""The command line as a whole: each verb starts quickly, with nothing heavy in its process."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edgekd
from edgekd import cli
from edgekd.cli import main

HEAVY = {
    "torch", "timm", "lightning", "torchmetrics", "sklearn", "scipy", "matplotlib", "jinja2",
    "onnx", "onnxruntime", "openvino", "nncf", "ai_edge_litert", "litert_torch", "yaml",
    "cryptography", "pydicom", "highdicom", "fhir", "cyclonedx",
}  # fmt: skip
VERBS = [
    [], ["demo"], ["doctor"], ["import"], ["logits"], ["data", "inspect"], ["data", "prepare"],
    ["train"], ["distill"], ["compare"], ["tune"], ["students"], ["build"], ["sign"], ["verify"],
    ["certify"], ["enrol"], ["diff"], ["bom"],
    ["dossier"], ["eval"], ["predict"], ["bench"], ["report"], ["init"], ["recipes"], ["schema"],
]  # fmt: skip
HELP = """
import sys
from edgekd.cli import main
assert main([*{verb!r}, "--help"]) == 0
print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_imports_nothing_heavy(verb: list[str]) -> None:
    code = HELP.format(verb=verb, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "module", ["edgekd", "edgekd.runtime", "edgekd.bundle", "edgekd.metrics", "edgekd.bench"]
)
def test_a_light_room_imports_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_usage_is_exit_2() -> None:
    assert main(["predict"]) == 2
    assert main(["no-such-verb"]) == 2


def test_every_verb_checks_its_places_first() -> None:
    for command in cli.app.registered_commands:
        assert hasattr(command.callback, "__wrapped__"), command.name


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"edgekd {edgekd.__version__}\n"


@pytest.mark.parametrize(
    ("words", "count", "offered"),
    [("edgekd dis", 1, ["distill"]), ("edgekd distill idrid-k", 2, ["idrid-kd"]),
     ("edgekd data i", 2, ["inspect"])],
)  # fmt: skip
def test_the_shell_completes_verbs_and_recipes(
    words: str, count: int, offered: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, value in (("_EDGEKD_COMPLETE", "complete_bash"), ("COMP_WORDS", words),
                        ("COMP_CWORD", str(count))):  # fmt: skip
        monkeypatch.setenv(name, value)
    assert main([]) == 0
    assert capsys.readouterr().out.split() == offered
