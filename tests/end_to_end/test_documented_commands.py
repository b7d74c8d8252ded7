"""Every command that README and docs/ show is run as it stands, or is marked with what it needs.

Words in capitals stand for the reader's own files. A verb without arguments (`edgekd build`) is a
mention; tests/test_documents.py holds its words against the command line.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import lenient
import pytest
from reader_files import make_reader
from test_documents import DOCS, README, commands

from edgekd.cli import main

DEVICE, DATA = "a device", "a data set"
TEACHER = "a heavy teacher; tests/end_to_end/test_imports.py has light ones"
TRAINED = "a trained teacher; tests/distill/runs/test_synthesised.py has a small one"
STUDENT = "a student that ships for all targets; that of the next command does"
MANY = "149 melanomas for validation; tests/lower/evidence has other limits"
LONG = "many trainings; tests/tune has shorter searches"
PAGE = "the page that `make browser` builds; tests/cli/test_serve.py has a small one"

_BUILD, _IMPORT = "edgekd build --target", "edgekd import heavy.pth --arch torchvision:resnet50"
_SHIPPED = "ham10000-student"
NEEDS = {
    f"{_BUILD} all --model NAME --out DIR": STUDENT,
    f"{_BUILD} all --model NAME --out bundles": STUDENT,
    f"{_BUILD} browser --model NAME --out bundles": STUDENT,
    f"{_BUILD} rpi --model NAME --features --out bundles": STUDENT,
    f"{_BUILD} rpi --model NAME --precision fp16 --research --out bundles": STUDENT,
    f"{_BUILD} rpi --model ham10000-student --precision fp16 --research --out bundles": DATA,
    "edgekd certify bundles/rpi-fp16 --csv validation.csv --image-root HAM10000 --label-column dx "
    "--group-column lesion --out certified": DATA,
    f"{_IMPORT} --classes mel,nv,bkl --out DIR --check labels.csv": TEACHER,
    f"{_IMPORT} --classes mel,nv,bkl --out teacher --check labels.csv": TEACHER,
    "edgekd bench --device browser --run RUN --bundle bundles/browser --json browser.json": PAGE,
    "edgekd build --on-device jetson": DEVICE,
    "edgekd build --on-device jetson --via torch-tensorrt": DEVICE,
    "edgekd build --tighten max_flips=0.01 --critical mel=0.02 …": MANY,
    f"{_BUILD} jetson --via torch-tensorrt --model runs/ham --out runs/ham/bundles": DATA,
    "edgekd doctor --device rpi": DEVICE,
    "edgekd serve BUNDLE": PAGE,
    "edgekd serve BUNDLE --write DIR": PAGE,
    "edgekd serve bundles/browser": PAGE,
    "edgekd serve bundles/browser --public-key key.pub.pem --write page": PAGE,
    "edgekd predict BUNDLE --camera 0": DEVICE,
    "edgekd predict bundles/rpi IDRID/images/*.jpg": DATA,
    "edgekd distill ham10000-kd --set data.root=/data/ham10000 --out runs/ham": DATA,
    "edgekd distill ham10000-fastdfkd --out RUN": TRAINED,
    "edgekd distill ham10000-meta-curriculum --set data.root=DATA --out RUN": DATA,
    "edgekd compare ham10000-kd ham10000-ssd-kd --seeds 0,1,2 --out DIR": DATA,
    "edgekd distill OUT/winner.yaml": LONG,
    "edgekd tune demo --search supernet --max-macs 8e6 --out runs/searched": LONG,
    "edgekd tune ham10000-fastdfkd --search supernet --data none --max-macs 30e6 "
    "--out OUT": TRAINED,
    "edgekd tune demo --space demo --trials 20 --workers 2 --out DIR": LONG,
    "edgekd tune demo --space demo --trials 20 --workers 2 --out runs/tuned": LONG,
}  # fmt: skip
"""Commands that this test cannot run as they stand, and what they need."""

STANDS_FOR = {
    "BUNDLE": "runs/demo/bundles/rpi",
    "DATA": "data",
    "DIR": "runs/mine",
    "NAME": "tiny-student",
    "RECIPE": "mine.yaml",
    "RUN": "runs/mine",
}
"""What a word in capitals stands for."""

_MODEL = "--model DIR --out built"
COMPLETED = {
    f"{_BUILD} rpi --precision int8 --quantisation-aware …": _MODEL,
    "edgekd build --target rpi --model NAME --data mine.csv --label-column dx …": "--out built",
    "edgekd compare … --folds 5": "RECIPE --seeds 0 --out compared",
    "edgekd bom … --installed": "BUNDLE --out bom.json",
}
"""What stands for the three dots of a command."""


class Documented(NamedTuple):
    """A command of a document: its words, and the file that its output goes to, or ""."""

    words: tuple[str, ...]
    output: str

    @property
    def verb(self) -> str:
        return self.words[0]


def needs(command: str) -> str:
    """What a command needs that is not here; "" for none."""
    return DATA if "test.csv" in command.split() else NEEDS.get(command, "")


def documented() -> list[str]:
    """The commands with arguments, each once."""
    texts = [README, *(file.read_text(encoding="utf-8") for file in sorted(DOCS.glob("*.md")))]
    found = {" ".join(command.split()) for text in texts for command in commands(text)}
    return sorted(command for command in found if not is_mention(command))


def is_mention(command: str) -> bool:
    """Whether a command only names a verb, with or without the names of options."""
    words = shlex.split(command)[1:]
    return command not in {*COMPLETED, *NEEDS} and not any(
        re.search(r"[A-Z/=.0-9]", word) for word in words
    )


def as_run(command: str) -> Documented:
    """The words of a command, with what stands for its capitals and its dots."""
    text, _, output = command.replace("…", COMPLETED.get(command, "")).partition(" > ")
    text = re.sub(r"\b[A-Z]{3,}\b", lambda word: STANDS_FOR.get(word[0], word[0]), text)
    words = shlex.split(text)[1:]
    if (
        words[0] == "build" and _SHIPPED not in words
    ):  # a student of one epoch meets no clinic's floors
        words += ["--policy", str(lenient.POLICY)]
        words += [] if "--precision" in words else ["--precision", "fp32"]
    if "--new-key" in words:  # there is one already
        words[-1] = f"new-{words[-1]}"
    if words[0] == "certify":
        words[1] = "uncertified"
        words += ["--policy", str(lenient.POLICY)]
    if words[0] == "enrol":
        words[1] = "teachable"
    if words[0] == "logits":
        words[1] = "teacher"
    return Documented(tuple(words), output)


@pytest.fixture(scope="session")
def reader(
    small_run: Path,
    bundles: Path,
    teachable: Path,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    """A folder with the files that a reader of the documents would have."""
    return made_once("reader", lambda folder: make_reader(folder, small_run, bundles, teachable))


SLOW = (
    "edgekd compare … --folds 5",
    "edgekd compare --from DIR",
    f"{_BUILD} all --model {_SHIPPED} --out bundles",
    f"{_BUILD} rpi --precision int8 --quantisation-aware …",
)


def is_slow(command: str) -> bool:
    """Whether it takes long: `--pictures` asks the networks for hundreds of covered images."""
    return command in SLOW or "--pictures" in command.split()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(each, marks=pytest.mark.slow if is_slow(each) else ())
        for each in documented()
        if not needs(each)
    ],
)
def test_a_documented_command_runs(
    command: str, reader: Path, students: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = shutil.copytree(reader, tmp_path / "work", symlinks=True)
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(work)
    monkeypatch.setenv("EDGEKD_STUDENTS", str(students))
    run = as_run(command)
    for word in WRITES.get(run.verb, ()):
        remove(Path(word))
    if "--plan" in run.words:
        with Path("plan.yaml").open("w") as file, redirect_stdout(file):
            assert main(["diff", "--plan-template"]) == 0
        plan = re.sub("worse: .*", "worse: 0.5}", Path("plan.yaml").read_text())
        Path("plan.yaml").write_text(plan)  # 200 images do not hold two points
    if "--bundle" in run.words:
        assert main(["sign", "bundles/android", "--key", "key.pem"]) == 0
    if "--fill" in run.words:
        with Path("answers.yaml").open("w") as file, redirect_stdout(file):
            assert main(["dossier", "--template"]) == 0
    if "--from" in run.words:
        remove(Path("runs/mine"))
        assert main(["compare", "mine.yaml", "--seeds", "0", "--out", "runs/mine"]) == 0
    with ExitStack() as stack:
        if run.output:
            stack.enter_context(redirect_stdout(stack.enter_context(Path(run.output).open("w"))))
        assert main(list(run.words)) == 0


WRITES = {
    "conformance": ["runs/mine"],
    "train": ["runs/mine"],
    "distill": ["runs/mine"],
    "init": ["mine.yaml"],
}
"""What a verb makes anew, and a reader does not have before."""


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def test_what_needs_more_is_documented() -> None:
    """No mark outlives its command."""
    assert sorted({*NEEDS, *COMPLETED} - set(documented())) == []
