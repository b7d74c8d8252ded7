"""What README and its neighbours say, held against the code: commands, recipes, methods, limits."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from edgekd import errors
from edgekd.bench.result import SCHEMA_VERSION
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.cli import app
from edgekd.distill.methods import method_names
from edgekd.policy import load_policy
from edgekd.resources import recipe_names

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
DOCUMENTS = [
    *(
        REPOSITORY / name
        for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/results/README.md",
                     "benchmarks/study/README.md", "examples/README.md", "targets/jetson/README.md",
                     "edgekd/students/README.md")
    ),
    *sorted(file for file in DOCS.rglob("*.md") if "reference" not in file.parts),
]  # fmt: skip
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def page(name: str) -> str:
    """The text of a page of docs/."""
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


ROOT = typer.main.get_command(app)


def commands(text: str) -> Iterator[str]:
    """Every `edgekd …` command of a document: in back quotes, and in indented lines."""
    joined = text.replace("\\\n", " ")
    yield from re.findall(r"`(edgekd [^`]+)`", joined)
    for line in re.findall(r"(?m)^    (?:.*; do +)?(edgekd [^#\n]+)", joined):
        yield line.split("; done")[0].split(";")[0]


ALL_COMMANDS = [
    (document, command)
    for document in DOCUMENTS
    for command in dict.fromkeys(commands(document.read_text(encoding="utf-8")))
]


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the first words name, and the other words."""
    command: click.Command = ROOT
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        inner = command.commands
        assert words[0] in inner, f"there is no command {words[0]!r}"
        command, words = inner[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize(
    ("document", "command"), ALL_COMMANDS, ids=[command[:60] for _, command in ALL_COMMANDS]
)
def test_commands_have_the_verbs_and_options_that_are_there(document: Path, command: str) -> None:
    command = command.replace("…", " ").replace("| ", " ")
    command, words = resolve(shlex.split(command)[1:])
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    assert used - {"--help"} <= options


def test_there_are_commands_to_look_at() -> None:
    assert len(ALL_COMMANDS) > 40
    verbs = {shlex.split(command.replace("…", ""))[1] for _, command in ALL_COMMANDS}
    assert verbs >= set(ROOT.commands) - {"bench"}


def test_recipes_that_are_named_are_shipped() -> None:
    named = set()
    for _, command in ALL_COMMANDS:
        words = shlex.split(command.replace("…", " "))
        if words[1] in ("train", "distill", "compare"):
            named |= {
                word
                for word in words[2:]
                if re.fullmatch(r"(ham10000|isic2019|idrid|aptos2019|demo)-[\w-]+", word)
            }
    assert len(named) > 5
    assert named <= set(recipe_names())


def test_the_table_of_methods_is_the_registry() -> None:
    table = page("methods").split("| name | paper |")[1].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(method_names())


def test_scripts_links_and_make_targets_are_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (REPOSITORY / "Makefile").read_text()))
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for script in re.findall(r"python ((?:benchmarks|tests|targets)/[\w/]+\.py)", text):
            assert (REPOSITORY / script).is_file(), (document.name, script)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", text):
            (path,) = filter(None, link)
            assert "://" in path or (document.parent / path).exists(), (document.name, path)
        for target in re.findall(r"(?:`|^    )make ([a-z]+)", text, re.MULTILINE):
            assert target in targets, (document.name, target)


def test_versions_in_the_changelog_are_those_of_the_formats() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]
    assert re.findall(r"format version ([\d.]+)", text) == [FORMAT_VERSION]
    assert re.findall(r"schema version ([\d.]+)", text) == [SCHEMA_VERSION]


def test_exit_codes_are_those_of_the_errors() -> None:
    sentence = " ".join(README.split("Exit codes:")[1].split("\n\n")[0].split())
    told = {int(code) for code in re.findall(r"(?:^| )(\d) ", f" {sentence}")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.EdgekdError)}
    assert told == {0, *codes} - {1}


def test_limits_that_are_told_are_those_of_the_policy() -> None:
    policy = load_policy("dermoscopy")
    assert "more than 5 points of sensitivity for melanoma" in " ".join(README.split())
    text = " ".join(page("gate").split())
    assert (
        "5 points may be lost for melanoma, 10 for squamous and basal cell carcinoma, 15 for "
        "actinic keratosis, 3 of balanced accuracy" in text
    )
    critical = {"mel": 0.05, "scc": 0.10, "bcc": 0.10, "akiec": 0.15, "ak": 0.15}
    assert critical.items() <= policy.critical.items()
    gate = policy.gate
    assert gate.max_balanced_accuracy_drop == 0.03
    assert "limit too (5 points)" in text
    assert gate.max_sensitivity_drop == 0.05
    assert "flipped decisions (3 %) and the calibration error (0.02)" in text
    assert (gate.max_flips, gate.max_ece_increase) == (0.03, 0.02)
    assert "Thresholds let 90 % of the validation images of each critical class" in text
    assert policy.decision.critical_sensitivity == 0.9


def test_refusals_that_are_told_are_those_that_were_measured() -> None:
    file = REPOSITORY / "benchmarks" / "results" / "refusals.json"
    rows = {row["name"]: row for row in json.loads(file.read_text())["rows"]}
    text = " ".join(page("runtime").split())
    share = {name: 100 * row["retake"]["value"] for name, row in rows.items()}
    assert f"{share['test photos as they are']:.1f} % of the test photos are to be taken" in text
    spoilt = ("blurred", "darkened", "overexposed", "glare", "no lesion, skin alone")
    lowest = min(share[f"test photos, {how}"] for how in spoilt)
    assert f"{lowest:.1f} to 100 % of those that were blurred, darkened, overexposed" in text
    assert f"{share['test photos, lesion cut in two']:.0f} % of those with the lesion cut" in text
    fundus = rows["idrid_512: another organ"]
    assert fundus["retake"]["value"] == 1.0
    assert f"all of {fundus['images']} fundus photographs" in text


def test_the_reference_is_made_of_the_code(tmp_path: Path) -> None:
    """`python .ci/reference.py` writes the pages; they are committed, so that all can read them."""
    script = [sys.executable, str(REPOSITORY / ".ci" / "reference.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
