"""Fuzzes the runtime in Kotlin by the cases of Python's fuzz: `make android` runs a few of them,
`make android-fuzz` 20,000 damaged bundles and 20,000 damaged images.

    python tests/abuse/jvm.py --classpath CLASSES --bundles 2000 --images 2000

Every outcome must be a prediction or one of the runtime's own errors: no crash, no more
than 5 s of the processors nor a minute of the clock, no memory over 1 GB, of a heap of 256 MB. With
`--compare` each outcome is also held against the one of Python, whose runtime gets the same case in
a process of its own. A crash of an engine by a
damaged model whose hashes agree fails too, unless `upstream.txt` has it.
"""

from __future__ import annotations

import argparse
import math
import re
import shutil
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this folder is the package `abuse`

from abuse.bundles import installed, parts, zip_of  # noqa: E402
from abuse.campaign import Campaign, Failure, Process, run, table  # noqa: E402
from abuse.cases import BundleCase, ImageCase, bundle_case, image_case  # noqa: E402
from abuse.photos import photo  # noqa: E402
from abuse.worker import Answer  # noqa: E402

__all__ = ["UPSTREAM", "Jvm", "compared", "upstream"]

UPSTREAM = Path(__file__).with_name("upstream.txt")
"""Crashes of engines that are known: a line has the engine and what happens, `#` is a remark."""
ENGINES = ("onnx", "tflite")
"""Engines that the runtime in Kotlin has."""
WIDTH, HEIGHT = 80, 70
_HEAP = "-Xmx256m"


class Jvm(Process):
    """A process of the JVM, which gets the content of each case."""

    keeps_errors = True

    def __init__(self, seed: int, folder: Path, *, java: str, classpath: str, options: list[str]):
        super().__init__(seed, folder)
        self._java = [java, _HEAP, "-XX:+ExitOnOutOfMemoryError", *options, "-cp", classpath]
        (folder / "whole.edgekd").write_bytes(zip_of(parts(ENGINES[0])))
        (folder / "photo.rgb").write_bytes(photo(0, WIDTH, HEIGHT).tobytes())
        self._place = folder / "case"
        self._last = ""

    def command(self) -> list[str]:
        errors = f"-XX:ErrorFile={self._folder / 'crash'}"
        sides = [str(WIDTH), str(HEIGHT)]
        return [*self._java, errors, "edgekd.FuzzWorkerKt", str(self._folder), *sides]

    def request(self, case: str) -> bytes:
        made = made_of(case, self._seed)
        if isinstance(made, ImageCase):
            return _frame(b"I", content=made.content)
        selftest = bool(made.options.get("selftest", True))
        clear(self._place)
        source = made.put(self._place)
        if isinstance(source, bytes):
            return _frame(b"B", selftest, source)
        return _frame(b"P", selftest, str(source).encode())

    def ask(self, case: str) -> Answer | str:
        answer = super().ask(case)
        if isinstance(answer, str):
            return f"{answer}{self._frame_of_crash()}"
        kind = made_of(case, self._seed)
        reaches = isinstance(kind, BundleCase) and kind.reaches_engine
        engine = kind.backend if isinstance(kind, BundleCase) and reaches else ""
        return replace(answer, group=kind.group, engine=engine)

    def stack(self) -> str:
        crash = self._folder / "crash"
        text = crash.read_text(errors="replace") if crash.exists() else super().stack()
        crash.unlink(missing_ok=True)
        return text[:1500]

    def printed(self) -> str:
        return ""  # no command of ours writes there

    def _line(
        self, process: subprocess.Popen[bytes], seconds: float, work: float = math.inf
    ) -> bytes:
        """A reply: the JVM announces its own end on stdout too, in lines of another kind."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            lines = super()._line(process, left, work).splitlines(keepends=True)
            if not lines or lines[-1].startswith((b"{", b"ready")):
                return lines[-1] if lines else b""

    def _frame_of_crash(self) -> str:
        """The library that crashed, with a leading blank; empty where the JVM cannot say."""
        crash = self._folder / "crash"
        text = crash.read_text(errors="replace") if crash.exists() else ""
        found = re.search(r"Problematic frame:\n#\s+\S+\s+\[?([\w.-]+)", text)
        return f" in {found[1]}" if found else ""


@lru_cache(maxsize=2)
def made_of(case: str, seed: int) -> BundleCase | ImageCase:
    """The case of its name."""
    kind, number = case.split(":")
    return (bundle_case if kind == "bundle" else image_case)(seed, int(number))


def upstream() -> set[tuple[str, str]]:
    """Crashes of engines that are known, as (engine, what)."""
    lines = (line.split("#")[0].split(maxsplit=1) for line in UPSTREAM.read_text().splitlines())
    return {(words[0], words[1].strip()) for words in lines if words}


def wrong(campaign: Campaign) -> list[Failure]:
    """Failures that are not known."""
    known = upstream()
    return [
        one for one in campaign.failures if not (one.forgiven and (one.engine, one.what) in known)
    ]


def cases_of(bundles: int, images: int, seed: int) -> list[str]:
    """Names of the cases, without the bundles of engines that the runtime in Kotlin lacks."""
    numbers = (number for number in range(10 * bundles))
    named = []
    while len(named) < bundles:
        number = next(numbers)
        if bundle_case(seed, number).backend in ENGINES:
            named.append(f"bundle:{number}")
    return named + [f"image:{number}" for number in range(images)]


def compared(case: str, seed: int, jvm: Answer, python: Answer) -> str:
    """How the outcomes differ; empty where they agree, or may differ."""
    made = made_of(case, seed)
    if isinstance(made, ImageCase):
        if made.group.split("-")[0] in ("tiff", "dicom", "gif"):  # Kotlin reads neither
            return ""
    elif made.reaches_engine or made.options:
        return ""  # engines word and see damage differently; Kotlin has not all options
    same = jvm.outcome == python.outcome
    return "" if same else f"{jvm.outcome} in Kotlin, {python.outcome} in Python"


class Compared(Jvm):
    """Kotlin's answer, with the difference from Python's as a failure."""

    def __init__(self, seed: int, folder: Path, *, java: str, classpath: str, options: list[str]):
        super().__init__(seed, folder, java=java, classpath=classpath, options=options)
        (folder / "python").mkdir()
        self._python = Process(seed, folder / "python")

    def ask(self, case: str) -> Answer | str:
        answer = super().ask(case)
        made = made_of(case, self._seed)
        if isinstance(answer, str) or (isinstance(made, BundleCase) and made.reaches_engine):
            return answer
        python = self._python.ask(case)
        if answer.failure or isinstance(python, str):
            return answer
        return replace(answer, failure=compared(case, self._seed, answer, python))

    def stop(self) -> None:
        super().stop()
        self._python.stop()


def clear(place: Path) -> None:
    """Make room for the next case."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _frame(kind: bytes, flag: bool = True, content: bytes = b"") -> bytes:
    return kind + bytes([flag]) + struct.pack(">I", len(content)) + content


def main() -> int:
    arguments = _arguments()
    if not all(map(installed, ENGINES)):
        print("the engines of both formats are needed: pip install 'edgekd[onnx,tflite]'")
        return 1
    kind = Compared if arguments.compare else Jvm

    def worker(seed: int, folder: Path) -> Process:
        return kind(seed, folder, java=arguments.java, classpath=arguments.classpath,
                    options=arguments.option)  # fmt: skip

    seed = arguments.seed
    names = arguments.only or cases_of(arguments.bundles, arguments.images, seed)
    campaign = run(names, seed=seed, jobs=arguments.jobs, worker=worker, progress=_told(len(names)))
    print(table(campaign))
    for line in _summary(campaign, seed):
        print(line)
    return 1 if wrong(campaign) else 0


def _told(total: int) -> Callable[[int, Campaign], None]:
    """Progress, and each failure as soon as it is there: a long run may be ended before its end."""
    shown = 0

    def progress(done: int, campaign: Campaign) -> None:
        nonlocal shown
        for one in campaign.failures[shown:]:
            print(f"{one.case} ({one.group}, {one.engine}): {one.what}", file=sys.stderr)
        shown = len(campaign.failures)
        if done % 500 == 0:
            counted = f"{done}/{total} cases, {len(wrong(campaign))} wrong"
            print(counted, file=sys.stderr, flush=True)

    return progress


def _summary(campaign: Campaign, seed: int) -> list[str]:
    known = Counter((one.engine, one.what) for one in campaign.failures if one.forgiven)
    lines = [
        "",
        f"{sum(campaign.outcomes.values())} cases of seed {seed} in {campaign.seconds:.0f} s; "
        f"{campaign.retried} were slow once",
        f"slowest: {campaign.slowest[0]:.0f} ms, {campaign.slowest[1]}",
        f"most memory: {campaign.hungriest[0] / 1e6:.0f} MB, {campaign.hungriest[1]}",
    ]
    lines += [
        f"{engine} on damaged models whose hashes agree: {what}, {n} times"
        for (engine, what), n in sorted(known.items())
    ]
    found = wrong(campaign)
    lines += [f"WRONG {one.case} ({one.group}): {one.what}\n{one.stack}" for one in found]
    return [*lines, f"{len(found)} wrong"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--classpath", required=True, help="of the tests of `conformance`")
    parser.add_argument("--java", default="java", help="the program")
    parser.add_argument("--option", action="append", default=[], help="an option of the JVM")
    parser.add_argument("--bundles", type=int, default=20_000, help="number of damaged bundles")
    parser.add_argument("--images", type=int, default=20_000, help="number of damaged images")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other cases")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--compare", action="store_true", help="hold outcomes against Python's")
    parser.add_argument("--only", nargs="+", metavar="KIND:N", help="run these cases alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
