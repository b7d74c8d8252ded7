"""Users' mistakes with files and folders, made from the declarations of the verbs' parameters.

A verb that is added to `edgekd.cli.app` is in the table by itself: its parameters say what they
are read or written as (`edgekd.cli.places`), and here stands a good example of each of those, and
how it can be spoilt. Run as a program (`python mistake_table.py EXAMPLES SPOILS…`) it goes through
the rows of some spoils in a process of its own, and prints what came of them as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from edgekd.cli import app, main
from edgekd.cli.places import Reads, Writes, places_of

__all__ = [
    "EXTRA_WORDS",
    "FORMS",
    "LOCKED_SPOILS",
    "Outcome",
    "ResultRow",
    "Verb",
    "complaint",
    "good_words",
    "make_examples",
    "rows",
    "run_row",
    "verbs",
]

HERE, OUT = Path("examples"), Path("out")


# ---- the verbs ----


@dataclass(frozen=True)
class Verb:
    """A verb with its parameters as Typer sees them."""

    name: str
    function: Callable[..., Any]
    parameters: dict[str, Any]

    @property
    def places(self) -> dict[str, Reads | Writes]:
        return places_of(self.function)

    def forms(self) -> list[dict[str, Reads | Writes]]:
        """Which of its places go together; of a verb that is not listed, all of them."""
        named = FORMS.get(self.name, [tuple(self.places)])
        return [{name: self.places[name] for name in form} for form in named]


def verbs() -> list[Verb]:
    found: list[Verb] = []
    functions = dict(_functions(app))

    def walk(command: Any, words: tuple[str, ...]) -> None:
        if inner := getattr(command, "commands", None):
            for name, part in inner.items():
                walk(part, (*words, name))
            return
        name = " ".join(words)
        parameters = {parameter.name: parameter for parameter in command.params}
        found.append(Verb(name, functions[name], parameters))

    walk(typer.main.get_command(app), ())
    return found


def _functions(own: typer.Typer, words: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in own.registered_commands:
        yield f"{words}{command.name}", command.callback
    for group in own.registered_groups:
        yield from _functions(group.typer_instance, f"{words}{group.name} ")


FORMS: dict[str, list[tuple[str, ...]]] = {
    "compare": [("recipes", "out", "json", "markdown"), ("kept", "json", "markdown")],
    "build": [("model", "out", "data_root"), ("on_device", "evidence")],
    "sign": [("bundle", "key"), ("new_key",)],
    "predict": [("bundle", "images", "public_key"), ("bundle", "camera", "save")],
}
"""Of verbs that do several things, which places belong to each."""

EXTRA_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("build", "model"): ("--target", "cpu-onnx"),
    ("predict", "camera"): ("--headless",),
    ("bench", "run"): ("--preset", "smoke"),
}
"""What a form with that parameter needs besides places."""

REQUIRED_WORDS = {"device": "cpu"}
"""Values of required parameters that are no places."""


# ---- good examples ----


def make_examples(folder: Path) -> None:
    """One good example of each of `Reads`, below `folder`/examples."""
    import msgspec
    import numpy as np
    from cards import make_card
    from manifests import make_manifest
    from tiny_bundles import ANSWER, REFER, write_photo, write_tiny_bundle, write_video

    from edgekd.bench.result import Latency
    from edgekd.bench.result.file import read_result, write_result
    from edgekd.bench.result.statistics import summarise
    from edgekd.bundle import generate_key, sign_bundle, write_bundle
    from edgekd.data import read_split
    from edgekd.distill.predictions import ComparedMethod, PredictionFacts, Predictions, TestedPart
    from edgekd.lower.engine.evidence import Evidence, Terms
    from edgekd.models import create_network, save_checkpoint
    from edgekd.runtime.preprocess import RULE
    from edgekd.targets import resolve_targets

    base = folder / HERE
    images = base / "images"
    images.mkdir(parents=True)
    photos = [write_photo(images / f"{n}.png", (ANSWER, REFER)[n % 2]) for n in range(96)]
    labels = ["bkl" if n % 2 == 0 else "nv" for n in range(96)]
    table = "".join(f"{photo.name},{label}\n" for photo, label in zip(photos, labels, strict=True))
    (base / "table.csv").write_text(f"image,label\n{table}")
    shutil.copy(photos[0], base / "photo.png")
    write_video(base / "video.avi", [ANSWER, REFER])
    write_tiny_bundle(base / "bundle")
    (base / "bundle-selftest.npz").unlink(missing_ok=True)
    (base / "recipe.yaml").write_text(_RECIPE.format(base=base))
    generate_key(base / "key.pem", base / "key.pub.pem")
    sign_bundle(base / "bundle", base / "key.pem")
    (base / "meter.csv").write_text("time,watts\n1700000000.0,3.0\n1700000001.0,3.1\n")
    (base / "wheels").mkdir()
    (base / "wheels" / "numpy-2.2.0-cp311-cp311-manylinux_2_17_aarch64.whl").write_bytes(b"PK")
    classes = ("bkl", "mel", "nv")
    student = base / "run" / "student"
    student.mkdir(parents=True)
    parts = ["train", "validation", "test"]
    lines = [
        f"{photo.name},{label},{n},{parts[max(0, n % 10 - 7)]}\n"
        for n, (photo, label) in enumerate(zip(photos, labels, strict=True))
    ]
    (student / "split.csv").write_text(f"image,label,group,part\n{''.join(lines)}")
    (student / "metrics.json").write_text("{}")
    split = read_split(student / "split.csv", images, name="none", classes=classes)
    known = make_card()
    data = msgspec.structs.replace(known.data, root=str(images), sha256=split.sha256())
    card = msgspec.structs.replace(known, classes=classes, data=data, resize=RULE)
    save_checkpoint(student, create_network(card.arch, card.outputs, card.arch_options), card)
    shutil.copytree(base / "bundle", base / "run" / "bundles" / "cpu")
    (target,) = resolve_targets("jetson")
    facts = PredictionFacts(
        data="none", classes=classes, ordered=False, images={}, split_sha256="", seeds=(0, 1),
        methods=tuple(ComparedMethod(name=name, method=name) for name in ("none", "kd")),
    )  # fmt: skip
    labels = np.arange(12) % 3
    outputs = np.random.default_rng(0).normal(size=(2, 2, 12, 3)).astype(np.float32)
    parts_of_it = (TestedPart(labels, np.arange(12), outputs),)
    Predictions(facts, parts_of_it).save(base / "predictions.npz")
    terms = Terms(
        classes=card.classes, limits=target.gate, critical={}, rule=target.decision, exact=False,
        fitted_on={},
    )  # fmt: skip
    logits = np.zeros((4, 3), np.float32)
    pixels = np.zeros((4, 16, 16, 3), np.uint8)
    evidence = Evidence(pixels, logits, np.zeros(4, np.int64), terms)
    sha256 = evidence.save(base / "evidence.npz")
    lowering = msgspec.structs.replace(
        make_manifest().lowering, target="jetson", backend="tensorrt",
        completion="finish-on-device", completion_command="it", evidence_sha256=sha256,
    )  # fmt: skip
    manifest = make_manifest(lowering=lowering, model_file="model.onnx")
    write_bundle(base / "unfinished", manifest, {"model.onnx": base / "bundle" / "model.onnx"})
    done = main(
        ["eval", str(base / "bundle"), "--csv", str(base / "table.csv"), "--json",
         str(base / "result.json")]
    )  # fmt: skip
    assert done == 0
    result = read_result(base / "result.json")
    spans = summarise(np.full(100, 2.0) + np.arange(100) / 100)
    latency = Latency(model=spans, end_to_end=spans, load_ms=1.0, first_ms=2.0)
    timed = [msgspec.structs.replace(row, latency_ms=latency) for row in result.rows]
    write_result(base / "result.json", msgspec.structs.replace(result, rows=timed))


_RECIPE = """\
name: table
image_size: 32
data: {{source: csv, file: {base}/table.csv, root: {base}/images}}
teacher:
  model: {{arch: resnet10t}}
student:
  model: {{arch: mobilenetv2_035}}
"""

EXAMPLES = {
    Reads.BUNDLE: "bundle",
    Reads.CHECKPOINT: "run/student",
    Reads.MODEL: "run/student",
    Reads.RUN: "run",
    Reads.RECIPE: "recipe.yaml",
    Reads.PHOTO: "photo.png",
    Reads.VIDEO: "video.avi",
    Reads.IMAGES: "images",
    Reads.TABLE: "table.csv",
    Reads.RESULT: "result.json",
    Reads.EVIDENCE: "evidence.npz",
    Reads.PRIVATE_KEY: "key.pem",
    Reads.PUBLIC_KEY: "key.pub.pem",
    Reads.METER: "meter.csv",
    Reads.PREDICTIONS: "predictions.npz",
    Reads.WHEELHOUSE: "wheels",
}
EXAMPLES_FOR = {("build", "on_device"): "unfinished"}
"""Where a verb takes a special one."""

PARTS = {
    Reads.BUNDLE: ("manifest.json", "model.onnx"),
    Reads.CHECKPOINT: ("model.json", "model.safetensors"),
    Reads.MODEL: ("model.json", "model.safetensors"),
    Reads.RUN: ("student/model.json",),
}
"""Files that each example that is a folder cannot do without."""

OF_EDGEKD = (
    Reads.BUNDLE, Reads.CHECKPOINT, Reads.MODEL, Reads.RUN, Reads.RESULT, Reads.EVIDENCE,
    Reads.PREDICTIONS,
)  # fmt: skip
"""What edgekd wrote itself: damaged, it is exit 6."""


# ---- how they are spoilt ----


def _spoil_content(spoil: str, content: bytes) -> bytes:
    return {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "junk": bytes(range(256)) * 4,
        "other": b"\x89PNG\r\n\x1a\n" if content[:1] in b"{i-tn" else b"some text, no more\n",
    }[spoil]


def spoilt(spoil: str, kind: Reads, good: Path, work: Path) -> Iterator[Path]:
    """Bad twins of a good example."""
    bad = work / good.name
    if spoil == "missing":
        yield bad
    elif spoil == "turned":  # a folder for a file, a file for a folder
        if good.is_dir():
            bad.write_bytes(b"x")
        else:
            bad.mkdir()
        yield bad
    elif spoil == "unreadable":
        if good.is_dir():
            shutil.copytree(good, bad)
            for locked in (bad, *(bad / part for part in PARTS.get(kind, ()))):
                mode = locked.stat().st_mode
                locked.chmod(0)
                yield bad
                locked.chmod(mode)
        else:
            shutil.copy(good, bad)
            bad.chmod(0)
            yield bad
    elif good.is_dir():
        if spoil == "empty":
            bad.mkdir()
            yield bad
            bad.rmdir()
        for part in PARTS[kind]:
            shutil.copytree(good, bad)
            (bad / part).write_bytes(_spoil_content(spoil, (bad / part).read_bytes()))
            yield bad
            shutil.rmtree(bad)
    else:
        bad.write_bytes(_spoil_content(spoil, good.read_bytes()))
        yield bad


INPUT_SPOILS = ("missing", "turned", "empty", "cut", "junk", "other")
OUTPUT_SPOILS = ("turned", "below a file", "circle")
LOCKED_SPOILS = ("unreadable", "unwritable", "protected", "full")
"""Of a process without the superuser's rights, `full` with a limit on the size of files."""

HARMLESS = {
    # What a cut of these leaves is whole in itself.
    (Reads.TABLE, "cut"), (Reads.METER, "cut"), (Reads.RECIPE, "cut"), (Reads.VIDEO, "cut"),
}  # fmt: skip
FOLDERS_OF_ANYTHING = (Reads.IMAGES, Reads.WHEELHOUSE)
"""What is in them is known to their verbs alone."""


def _spoil_place(spoil: str, place: Writes, work: Path) -> Path:
    """An output that cannot be written to."""
    path = work / "place.svg"
    if spoil == "turned" and place is Writes.FILE:
        path.mkdir()
    elif spoil == "turned":
        path.write_bytes(b"mine")
    elif spoil == "below a file":
        path.write_bytes(b"mine")
        path = path / "below.svg"
    elif spoil == "circle":
        path.symlink_to(work / "back")
        (work / "back").symlink_to(path)
    elif spoil == "unwritable":
        closed = work / "closed"
        closed.mkdir()
        closed.chmod(0o500)
        path = closed / "place.svg"
    elif spoil == "protected":
        if place is Writes.FOLDER:
            path.mkdir()
            path.chmod(0o500)
        else:
            path.write_bytes(b"mine")
            path.chmod(0o400)
    return path


# ---- the rows ----


@dataclass(frozen=True)
class ResultRow:
    """One mistake: a parameter of a verb, in one of its forms, and how it is spoilt."""

    verb: str
    form: int
    parameter: str
    spoil: str

    def __str__(self) -> str:
        return f"{self.verb}-{self.form}-{self.parameter}-{self.spoil}"


def rows(locked: bool = False) -> list[ResultRow]:
    """All mistakes; `locked` gives those that take a process without the superuser's rights."""
    found = []
    for verb in verbs():
        for number, form in enumerate(verb.forms()):
            for name, place in form.items():
                spoils = _spoils_of(place)
                chosen = [spoil for spoil in spoils if (spoil in LOCKED_SPOILS) == locked]
                found += [ResultRow(verb.name, number, name, spoil) for spoil in chosen]
    return found


def _spoils_of(place: Reads | Writes) -> tuple[str, ...]:
    if isinstance(place, Writes):
        return (*OUTPUT_SPOILS, "unwritable", "protected", "full")
    if place in FOLDERS_OF_ANYTHING:
        return ("missing", "turned", "unreadable")
    spoils = [spoil for spoil in INPUT_SPOILS if (place, spoil) not in HARMLESS]
    if place in (Reads.MODEL, Reads.BUNDLE):
        spoils.remove("turned")  # either is right; a file that is neither is told as damaged
    return (*spoils, "unreadable")


def good_words(verb: Verb, form: dict[str, Reads | Writes], folder: Path) -> dict[str, str]:
    """A value for each place of the form and for what else is required, by parameter."""
    values = {}
    for name, parameter in verb.parameters.items():
        if name in form:
            place = form[name]
            if isinstance(place, Reads):
                own = EXAMPLES_FOR.get((verb.name, name), EXAMPLES[place])
                values[name] = str(folder / HERE / own)
            else:
                values[name] = str(folder / OUT / f"{name}.svg")
        elif parameter.required:
            values[name] = REQUIRED_WORDS[name]
    return values


def command_line(verb: Verb, values: dict[str, str]) -> list[str]:
    words = verb.name.split()
    for name, value in values.items():
        parameter = verb.parameters[name]
        words += EXTRA_WORDS.get((verb.name, name), ())
        flags = [] if parameter.param_type_name == "argument" else [parameter.opts[0]]
        words += [*flags, value]
    return words


@dataclass(frozen=True)
class Outcome:
    """What came of one command.

    Attributes:
        words: The command.
        spoilt: The path that was spoilt.
        code: Its exit code; None where it ended by a traceback.
        out: What it said on stdout.
        err: Likewise on stderr.
        changed: Files that were made, removed or written.
    """

    words: list[str]
    spoilt: str
    code: int | None
    out: str
    err: str
    changed: list[str]


def run_row(row: ResultRow, folder: Path, work: Path) -> Iterator[Outcome]:
    """Make the mistake, once for each way in which the example can be spoilt so."""
    (verb,) = [verb for verb in verbs() if verb.name == row.verb]
    form = verb.forms()[row.form]
    place = form[row.parameter]
    values = good_words(verb, form, folder)
    work.mkdir(parents=True)
    bad = (
        spoilt(row.spoil, place, Path(values[row.parameter]), work)
        if isinstance(place, Reads)
        else iter([_spoil_place(row.spoil, place, work)])
    )
    for path in bad:
        words = command_line(verb, values | {row.parameter: str(path)})
        yield run_command(words, str(path), (folder / HERE, folder / OUT, work))
        shutil.rmtree(folder / OUT, ignore_errors=True)


def run_command(words: Sequence[str], spoilt: str, watched: Sequence[Path]) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    before = _seen(watched)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: int | None = main(list(words))
        except Exception:
            code = None
            traceback.print_exc(file=err)
    after = _seen(watched)
    changed = sorted({key for key, _ in before.items() ^ after.items()})
    return Outcome(list(words), spoilt, code, out.getvalue(), err.getvalue(), changed)


def _seen(watched: Sequence[Path]) -> dict[str, tuple[int, int, int]]:
    found = {}
    for top in watched:
        for parent, folders, files in os.walk(top):
            for name in (*folders, *files):
                path = os.path.join(parent, name)  # noqa: PTH118 - thousands of them
                told = os.lstat(path)
                if name in files:  # a folder that is made and stays empty holds no half of anything
                    found[path] = (told.st_mode, told.st_size, told.st_mtime_ns)
    return found


def complaint(row: ResultRow, outcome: Outcome) -> str:
    """What is wrong with how the mistake was told; empty where nothing is."""
    (verb,) = [verb for verb in verbs() if verb.name == row.verb]
    place = verb.places[row.parameter]
    damaged = row.spoil in ("empty", "cut", "junk", "other", "turned", "unreadable")
    codes = {2, 6} if place in OF_EDGEKD and damaged else {2}
    lines = outcome.err.splitlines()
    wrong = []
    if outcome.code not in codes:
        wrong.append(f"exit code {outcome.code}, not of {codes}")
    two = len(lines) == 2 and lines[0].startswith("error: ") and lines[1].startswith("       ")
    if not two:
        wrong.append(f"{len(lines)} lines")
    elif not _names(outcome.err, outcome.spoilt) and row.spoil != "full":
        wrong.append("the file is not named")
    elif row.spoil == "full" and "cannot write" not in outcome.err:  # whichever comes first
        wrong.append("the full disk is not told")
    if outcome.out:
        wrong.append("something on stdout")
    if outcome.changed:
        wrong.append(f"changed: {outcome.changed}")
    return f"{'; '.join(wrong)}\n{outcome.words}\n{outcome.err}{outcome.out}" if wrong else ""


def _names(said: str, path: str) -> bool:
    """Whether the message names the file, its folder, or a part of it."""
    return path in said or Path(path).name in said


def _limit_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def _go_through(folder: Path, spoils: Sequence[str]) -> None:
    """Print the outcome of each row, and whether this process really lacks the rights."""
    work = folder / "work"
    work.mkdir()
    probe = work / "probe"
    probe.write_bytes(b"x")
    probe.chmod(0)
    lacks = not os.access(probe, os.R_OK)
    told = []
    chosen = sorted(rows(locked=True), key=lambda row: row.spoil == "full")  # no way back from it
    for number, row in enumerate(row for row in chosen if row.spoil in spoils):
        if row.spoil == "full":
            _limit_files()
        outcomes = run_row(row, folder, work / str(number))
        told += [(asdict(row), asdict(outcome)) for outcome in outcomes]
    sys.stdout.write(json.dumps({"lacks": lacks, "told": told}))


def run_good(folder: Path) -> Iterator[Outcome]:
    """Every form of every verb, with nothing wrong in it."""
    for verb in verbs():
        for form in verb.forms():
            words = command_line(verb, good_words(verb, form, folder))
            yield run_command(words, "", (folder / HERE, folder / OUT))
            shutil.rmtree(folder / OUT, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[2:] == ["good"]:
        sys.stdout.write(json.dumps([asdict(outcome) for outcome in run_good(Path(sys.argv[1]))]))
    else:
        _go_through(Path(sys.argv[1]), sys.argv[2:])
