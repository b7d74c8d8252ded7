"""What is wrong with how a mistake was reported."""

from __future__ import annotations

from pathlib import Path

from mistakes.examples import OF_EDGEKD
from mistakes.rows import Outcome, Row
from mistakes.verbs import verbs


def complaint(row: Row, outcome: Outcome) -> str:
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
