"""Runs cases of the fuzz in a process of its own, which may die: PYTHONPATH=tests python -m
abuse.worker SEED FOLDER.

A line `bundle:17` comes in, a line of JSON goes out: see `Answer`. What the process prints lands in
`FOLDER/stdout` and `FOLDER/stderr`; the latter ends with Python's stack where the process crashed.
"""

from __future__ import annotations

import faulthandler
import io
import os
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from abuse import procfs
from abuse.bundles import BACKENDS, installed, parts, zip_of
from abuse.cases import BundleCase, ImageCase, bundle_case, image_case
from abuse.photos import photo, photos
from edgekd.errors import EdgekdError
from edgekd.runtime import Classifier, Prediction

__all__ = ["MOST_MEMORY", "Answer", "contradictions", "judged"]

MOST_MEMORY = 10**9
"""Bytes that a case may take, the engines and all libraries included."""
_NET = 4 * 10**9
"""Bytes of private memory at which the system itself says no: it saves the machine, and lies well
above what counts as a failure, since a refusal would hide the appetite."""
_LONGEST_MESSAGE = 1000


@dataclass(frozen=True)
class Answer:
    """What came of a case.

    Attributes:
        group: Of the case.
        outcome: `answer`, `refer` or `retake` for a prediction, `opened`, or the error's class.
        failure: What must not be: another exception, an untidy error, a prediction that
            contradicts itself, too much memory; empty where all is well.
        engine: Name of the engine that the damage was let through to; empty elsewhere.
        peak: Bytes of memory at most.
        ms: Milliseconds.
        warned: Categories and texts of Python's warnings.
    """

    group: str
    outcome: str
    failure: str = ""
    engine: str = ""
    peak: int = 0
    ms: float = 0.0
    warned: tuple[str, ...] = ()


def main(seed: int, folder: Path) -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    _redirect(folder)
    _prepare(folder)
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        kind, number = line.strip().split(":")
        answer = run_case(kind, seed, int(number), folder)
        replies.write(msgspec.json.encode(asdict(answer)).decode() + "\n")
        replies.flush()


def run_case(kind: str, seed: int, number: int, folder: Path) -> Answer:
    """One case, measured."""
    case = bundle_case(seed, number) if kind == "bundle" else image_case(seed, number)
    place = folder / "case"
    procfs.forget_peak()
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if isinstance(case, BundleCase):
            outcome, failure = judged(lambda: _open(case, place))
        else:
            outcome, failure = judged(lambda: _look_at(case, place))
    ms = 1e3 * (time.perf_counter() - start)
    peak = procfs.peak()
    if peak > MOST_MEMORY and not failure:
        failure = f"memory: {peak / 1e6:.0f} MB"
    _clear(place)
    engine = case.backend if isinstance(case, BundleCase) and case.reaches_engine else ""
    told = tuple(sorted({f"{w.category.__name__}: {w.message}"[:200] for w in caught}))
    return Answer(case.group, outcome, failure, engine, peak, ms, told)


def judged(work: Callable[[], Prediction]) -> tuple[str, str]:
    """The outcome, and what is wrong with it."""
    try:
        prediction = work()
    except EdgekdError as error:
        return type(error).__name__, _untidy(error)
    except Exception as error:
        return type(error).__name__, f"{type(error).__name__}: {_where(error)}: {error}"[:500]
    return prediction.decision, contradictions(prediction)


def _where(error: BaseException) -> str:
    """The last line of our own that was running."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "edgekd" in code.co_filename:
            place = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _untidy(error: EdgekdError) -> str:
    """An error is one line of what is wrong and one of what to do."""
    for text in (error.message, error.hint):
        if not text.strip() or not text.isprintable() or len(text) > _LONGEST_MESSAGE:
            return f"untidy {type(error).__name__}: {_where(error)}: {text[:200]!r}"
    return ""


def contradictions(prediction: Prediction) -> str:
    """A device must not answer from numbers that are none."""
    finite = bool(np.isfinite(prediction.logits).all() and np.isfinite(prediction.probability))
    if prediction.decision == "answer" and (not finite or prediction.reasons):
        return f"an answer from {prediction.logits} with the reasons {prediction.reasons}"
    if prediction.decision != "answer" and not prediction.reasons:
        return f"{prediction.decision} without a reason"
    if finite and abs(sum(prediction.probabilities.values()) - 1) > 1e-6:
        return f"probabilities {prediction.probabilities}"
    return ""


@cache
def _photo() -> Any:
    return photo(0, 80, 70)


def _open(case: BundleCase, place: Path) -> Prediction:
    source = case.put(place)
    procfs.forget_peak()  # making the case may have taken more than it
    with Classifier.open(source, threads=1, **case.options) as classifier:
        return classifier.predict(_photo())


@cache
def _whole() -> Classifier:
    backend = next(name for name in BACKENDS if installed(name))
    return Classifier.open(zip_of(parts(backend)), threads=1)


@cache
def _right() -> tuple[float, ...]:
    return _whole().predict(_photo()).logits


def _look_at(case: ImageCase, place: Path) -> Prediction:
    source: Any = case.content
    if case.form == "file":
        source = io.BytesIO(case.content)
    elif case.form == "path":
        place.write_bytes(case.content)
        source = place
    try:
        return _whole().predict(source)
    finally:
        if _whole().predict(_photo()).logits != _right():
            raise RuntimeError("the classifier is spoilt for the photos that follow")


def _clear(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _redirect(folder: Path) -> None:
    """What engines print goes to files; stdout must stay empty, since `--json` writes there."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    faulthandler.enable(all_threads=False)


def _prepare(folder: Path) -> None:
    os.environ["EDGEKD_CACHE"] = str(folder / "cache")
    os.environ["TMPDIR"] = str(folder)
    resource.setrlimit(resource.RLIMIT_DATA, (_NET, _NET))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    photos()  # made before anything is measured
    _right()
    for backend in filter(installed, BACKENDS):
        Classifier.open(zip_of(parts(backend)), threads=1).close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
