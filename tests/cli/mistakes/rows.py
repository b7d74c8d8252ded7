"""The table: a parameter of a verb in each row, how it is spoilt, and what came of it."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.cli import main
from edgekd.cli.places import Reads
from mistakes.examples import HERE, OUT, good_words
from mistakes.spoils import LOCKED_SPOILS, spoil_place, spoils_of, spoilt
from mistakes.verbs import command_line, verbs


@dataclass(frozen=True)
class Row:
    """One mistake: a parameter of a verb, in one of its forms, and how it is spoilt."""

    verb: str
    form: int
    parameter: str
    spoil: str

    def __str__(self) -> str:
        return f"{self.verb}-{self.form}-{self.parameter}-{self.spoil}"


def rows(locked: bool = False) -> list[Row]:
    """All mistakes; `locked` gives those that take a process without the superuser's rights."""
    found = []
    for verb in verbs():
        for number, form in enumerate(verb.forms()):
            for name, place in form.items():
                spoils = spoils_of(place)
                chosen = [spoil for spoil in spoils if (spoil in LOCKED_SPOILS) == locked]
                found += [Row(verb.name, number, name, spoil) for spoil in chosen]
    return found


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


def run_row(row: Row, folder: Path, work: Path) -> Iterator[Outcome]:
    """Make the mistake, once for each way in which the example can be spoilt so."""
    (verb,) = [verb for verb in verbs() if verb.name == row.verb]
    form = verb.forms()[row.form]
    place = form[row.parameter]
    values = good_words(verb, form, folder)
    work.mkdir(parents=True)
    bad = (
        spoilt(row.spoil, place, Path(values[row.parameter]), work)
        if isinstance(place, Reads)
        else iter([spoil_place(row.spoil, place, work)])
    )
    for path in bad:
        words = command_line(verb, values | {row.parameter: str(path)})
        yield run_command(words, str(path), (folder / HERE, folder / OUT, work))
        shutil.rmtree(folder / OUT, ignore_errors=True)


def log_of(words: Sequence[str]) -> str | None:
    """The log of a command, which has its error, too."""
    return words[words.index("--log") + 1] if "--log" in words else None


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
    changed = sorted(
        {key for key, _ in before.items() ^ after.items() if key != str(log_of(words))}
    )
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


def run_good(folder: Path) -> Iterator[Outcome]:
    """Every form of every verb, with nothing wrong in it."""
    for verb in verbs():
        for form in verb.forms():
            words = command_line(verb, good_words(verb, form, folder))
            yield run_command(words, "", (folder / HERE, folder / OUT))
            shutil.rmtree(folder / OUT, ignore_errors=True)
