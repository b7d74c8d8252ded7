#!/usr/bin/env python3
"""What no host can show of edgekd, shown once on a real Jetson: first_board.py BUNDLE… > board.json

Standard output is one JSON object with a line for each thing that needs the board: OK, FAIL or
SKIPPED, why, and what was measured. The exit code is 0 only where every line is OK. Bundles are
folders that `edgekd build --target jetson` made, each with its evidence file beside it; they are
finished where they are, and nothing else is written but to a temporary folder, which stays where a
line is FAIL.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgekd.bench.measure.machine import local_facts
from edgekd.bundle import SELFTEST, Bundle
from edgekd.doctor.tensorrt import board
from edgekd.doctor.tensorrt.jetpack import jetpack_of
from edgekd.errors import EdgekdError
from edgekd.lower.backends.tensorrt.job import ENGINE, EngineJob, run_engine_job
from edgekd.lower.backends.tensorrt.one_op import build_one_op, run_one_op
from edgekd.lower.jobs.process import JobError
from edgekd.lower.jobs.trial import TrialJob, try_files
from edgekd.runtime import Classifier
from edgekd.runtime.selftest import Vectors
from edgekd.runtime.sessions.tensorrt.environment import l4t_release

HERE = Path(__file__).resolve().parent
WARM_UP, RUNS = 20, 300
TRTEXEC = ("trtexec", "/usr/src/tensorrt/bin/trtexec")
ARTEFACT = 6
BUILD_SECONDS, COMMAND_SECONDS = 3600, 600

Facts = dict[str, Any]


class SkippedError(Exception):
    """A line cannot be looked at; the words say why, and how it could."""


class FailedError(Exception):
    """A line was looked at and is not as it should be."""


@dataclass
class Line:
    """One thing, and how it went."""

    name: str
    status: str
    why: str = ""
    seconds: float = 0.0
    facts: Facts = field(default_factory=dict)


class Protocol:
    """The lines, in the order in which they were gone through."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def go(self, name: str, look: Callable[[], Facts], *, after: str = "") -> bool:
        """Go through a line; not where the line `after` is not OK."""
        print(f"{name} …", file=sys.stderr, flush=True)
        start = time.perf_counter()
        line = Line(name, "OK")
        try:
            if after and not self.is_ok(after):
                raise SkippedError(f"it takes what is not there: {after}")
            line.facts = look()
        except SkippedError as error:
            line.status, line.why = "SKIPPED", str(error)
        except FailedError as error:
            line.status, line.why = "FAIL", str(error)
        except EdgekdError as error:
            line.status, line.why = "FAIL", f"{error.message}; {error.hint}"
        except Exception as error:  # a line that falls must not take the others with it
            line.status, line.why = "FAIL", f"{type(error).__name__}: {error}"
        line.seconds = round(time.perf_counter() - start, 3)
        self.lines.append(line)
        print(f"  {line.status} {line.why}", file=sys.stderr, flush=True)
        return line.status == "OK"

    def is_ok(self, name: str) -> bool:
        """Whether a line that was gone through is OK."""
        return any(line.name == name and line.status == "OK" for line in self.lines)

    def count(self) -> dict[str, int]:
        """Lines by status."""
        found = [line.status for line in self.lines]
        return {status: found.count(status) for status in ("OK", "FAIL", "SKIPPED")}


# ---- the machine ----


def look_at_system() -> Facts:
    """Which JetPack this is."""
    l4t = l4t_release()
    if not l4t:
        raise SkippedError(
            "this is no Jetson: it has neither /etc/nv_tegra_release nor nvidia-l4t-core"
        )
    row = jetpack_of(l4t)
    if row is not None and row.advice:
        raise FailedError(f"JetPack {row.name} (L4T {l4t}): {row.advice}")
    return {"l4t": l4t, "jetpack": row.name if row else "newer than edgekd knows"}


def look_at_power() -> Facts:
    """The power mode, which every time depends on."""
    mode = board.power_mode()
    if mode is None:
        raise SkippedError(
            "nvpmodel does not tell; a container does not have it: run this on the board"
        )
    return {"mode": mode}


def look_at_clocks() -> Facts:
    """The clocks, and whether they are held."""
    seen = board.clocks()
    if not any(clock.name.startswith("GPU") for clock in seen):
        raise SkippedError("the system does not tell the GPU's clock (/sys/class/devfreq)")
    return {clock.name: asdict(clock) | {"held": clock.held} for clock in seen}


def look_at_heat() -> Facts:
    """Temperatures now."""
    found = board.temperatures()
    if not found:
        raise SkippedError("the system tells no temperature (/sys/class/thermal)")
    return found


def look_at_memory() -> Facts:
    """Memory and swap now."""
    told = board.memory()
    if "MemAvailable" not in told:
        raise SkippedError("the system does not tell (/proc/meminfo)")
    names = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
    return {name: told.get(name) for name in names} | {"swaps": board.swaps()}


# ---- TensorRT ----


def look_at_tensorrt(work: Path) -> Facts:
    """TensorRT and cuda-python import, and a GPU answers; in a process of its own."""
    job = EngineJob(out=str(work / "environment"))
    return asdict_of(run_engine_job(job, log=work / "environment.log").environment)


def build_smallest(work: Path) -> Facts:
    """The smallest engine is built."""
    result = build_one_op(EngineJob(out=str(work / "one-op")), log=work / "one-op.log")
    return {"seconds": result.seconds, "bytes": result.size_bytes}


def run_smallest(work: Path) -> Facts:
    """It runs in edgekd's session, and answers rightly."""
    return {"p50_ms": run_one_op(work / "one-op", log=work / "one-op-run.log")}


# ---- a bundle ----


def edgekd(*arguments: str, seconds: int = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "edgekd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The last words of a command."""
    lines = done.stderr.strip().splitlines() or ["it said nothing"]
    return f"exit code {done.returncode}: {' '.join(lines[-3:])}"


def finish(bundle: Path) -> Facts:
    """The engine is built, self-tested and judged; how much memory that left."""
    with least_available() as least:
        done = edgekd(
            "build", "--target", "jetson", "--on-device", str(bundle), seconds=BUILD_SECONDS
        )
    if done.returncode == 2 and "complete already" in done.stderr:
        return {"finished": "before", "engine": engine_record(bundle)}
    if done.returncode != 0:
        raise FailedError(said(done))
    return {"finished": "now", "least_available_bytes": least(), "engine": engine_record(bundle)}


@contextmanager
def least_available() -> Iterator[Callable[[], int | None]]:
    """The least memory that was available meanwhile, looked at five times a second."""
    found: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            if available := board.memory().get("MemAvailable"):
                found.append(available)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: min(found, default=None)
    finally:
        done.set()
        watcher.join()


def engine_record(bundle: Path) -> Facts:
    """What the manifest says of the engine, its gate included."""
    manifest: Facts = json.loads((bundle / "manifest.json").read_text())
    record: Facts | None = manifest["lowering"].get("engine")
    if record is None:
        raise FailedError("the manifest has no record of an engine")
    return record


def check_gate(bundle: Path) -> Facts:
    """The gate was passed by the engine itself."""
    gate: Facts = engine_record(bundle)["gate"]
    if not gate["passed"]:
        raise FailedError(f"the gate was not passed: {gate}")
    return gate


def verify(bundle: Path, *options: str) -> Facts:
    """`edgekd verify`: hashes and the self-test, on an engine."""
    done = edgekd("verify", str(bundle), "--json", *options)
    if done.returncode != 0:
        raise FailedError(said(done))
    report: Facts = json.loads(done.stdout)["selftest"]
    return report


def check_engine_matches_device(bundle: Path, work: Path) -> Facts:
    """An engine of another GPU is refused before TensorRT sees it, and so is a damaged one."""
    return {
        "another GPU": refused(bundle, work / "stranger", damage_sidecar, "was built for"),
        "damaged": refused(bundle, work / "damaged", damage_engine, "is damaged"),
    }


def refused(bundle: Path, folder: Path, damage: Callable[[Path], None], words: str) -> str:
    """What is said of a copy of the engine to which harm was done."""
    folder.mkdir()
    for name in (ENGINE, f"{ENGINE}.json"):
        shutil.copy(bundle / name, folder / name)
    damage(folder)
    images = vectors_of(bundle, folder)
    job = TrialJob(
        session="tensorrt",
        files={"engine": str(folder / ENGINE)},
        images=str(images),
        out=str(folder / "run"),
    )
    try:
        try_files(job, log=folder / "run.log")
    except JobError as error:
        if error.exit_code == ARTEFACT and words in error.message:
            return error.message
        raise FailedError(f"refused for another reason: {error.message}") from error
    raise FailedError("it was loaded")


def damage_sidecar(folder: Path) -> None:
    """Let the sidecar name another GPU."""
    file = folder / f"{ENGINE}.json"
    sidecar: Facts = json.loads(file.read_text())
    sidecar["environment"]["gpu"] = "another"
    file.write_text(json.dumps(sidecar))


def damage_engine(folder: Path) -> None:
    """Turn a byte of the engine over."""
    file = folder / ENGINE
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def vectors_of(bundle: Path, folder: Path) -> Path:
    """The self-test's images as a file."""
    import numpy as np

    with Bundle.open(bundle) as opened, opened.stream(SELFTEST) as stream:
        np.save(folder / "images.npy", Vectors.read(stream).images)
    return folder / "images.npy"


def measure_apart(bundle: Path) -> Facts:
    """`measure` in a process of its own, whose memory is the engine's alone."""
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", str(bundle)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )
    if done.returncode != 0:
        raise FailedError(said(done))
    facts: Facts = json.loads(done.stdout)
    return facts


def measure(bundle: Path) -> Facts:
    """Times of the model and of a whole photo; what the process and the system need for it."""
    import cv2

    before = board.memory().get("MemAvailable")
    with tempfile.TemporaryDirectory() as folder, Classifier.open(bundle) as classifier:
        with Bundle.open(bundle) as opened, opened.stream(SELFTEST) as stream:
            image = Vectors.read(stream).images[0]
        photo = Path(folder) / "photo.jpg"
        large = cv2.resize(image[..., ::-1], (1024, 1024), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(photo), large)
        model = times_of(lambda: classifier.logits(image))
        whole = times_of(lambda: classifier.predict(photo))
        after = board.memory().get("MemAvailable")
        return {
            "model_ms": model,
            "end_to_end_ms": whole,
            "photo": "JPEG, 1024 × 1024",
            "engine": dict(classifier.facts),
            "rss_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
            "system_bytes": None if before is None or after is None else before - after,
        }


def times_of(call: Callable[[], object]) -> Facts:
    """Percentiles of a call, after some that do not count."""
    import numpy as np

    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    p50, p90, p99 = (round(float(np.percentile(times, share)), 4) for share in (50, 90, 99))
    return {"p50": p50, "p90": p90, "p99": p99, "n": RUNS, "raw": [round(t, 4) for t in times]}


def check_graph(protocol: Protocol, measured: str) -> Facts:
    """The session runs its engine as one CUDA graph."""
    facts: Facts = next(line.facts for line in protocol.lines if line.name == measured)["engine"]
    if not facts.get("cuda_graph"):
        raise FailedError(f"no CUDA graph: {facts.get('cuda_graph_failure')}")
    return {"cuda_graph": True}


def time_by_trtexec(bundle: Path) -> Facts:
    """NVIDIA's own program on the same engine, with and without a CUDA graph."""
    program = next((found for name in TRTEXEC if (found := shutil.which(name))), None)
    if program is None:
        raise SkippedError("there is no trtexec: apt install libnvinfer-bin")
    return {name: trtexec(program, bundle, graph=name == "graph") for name in ("graph", "plain")}


def trtexec(program: str, bundle: Path, *, graph: bool) -> Facts:
    """Median times, in ms. From TensorRT 11 on, graphs are its default and copies are left out."""
    shown = subprocess.run(
        [program, "--help"], capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    ).stdout
    newer = "--noCudaGraph" in shown
    switch = ([] if graph else ["--noCudaGraph"]) if newer else ["--useCudaGraph"] * graph
    copies = ["--includeDataTransfers"] if "--includeDataTransfers" in shown else []
    command = [program, f"--loadEngine={bundle / ENGINE}", *switch, *copies]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )
    rows = re.findall(r"(Latency|GPU Compute Time): .*?median = ([\d.]+) ms", done.stdout)
    if done.returncode != 0 or not rows:
        raise FailedError(f"trtexec failed: {(done.stdout + done.stderr).strip()[-300:]}")
    return {name: float(median) for name, median in rows}


def check_health(bundle: Path, work: Path) -> Facts:
    """The image's health check on a folder with this bundle."""
    folder = work / f"health-{bundle.name}"
    folder.mkdir()
    (folder / bundle.name).symlink_to(bundle)
    beside = str(Path(sys.executable).parent)
    environment = os.environ | {
        "EDGEKD_BUNDLES": str(folder),
        "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    done = subprocess.run(
        ["sh", str(HERE / "healthcheck.sh")],
        capture_output=True, text=True, check=False, env=environment, timeout=COMMAND_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise FailedError(said(done))
    return {"said": done.stdout.strip()}


# ---- all of it ----


def go_through(protocol: Protocol, bundles: list[Path], work: Path) -> None:
    """Every line; those of a bundle once for each."""
    protocol.go("JetPack", look_at_system)
    protocol.go("power mode", look_at_power)
    protocol.go("clocks", look_at_clocks)
    protocol.go("memory", look_at_memory)
    protocol.go("temperatures before", look_at_heat)
    gpu = "TensorRT, cuda-python and a GPU"
    protocol.go(gpu, lambda: look_at_tensorrt(work))
    protocol.go("build a one-op engine", lambda: build_smallest(work), after=gpu)
    runs = "run a one-op engine"
    protocol.go(runs, lambda: run_smallest(work), after="build a one-op engine")
    if not bundles:
        protocol.go("a bundle", no_bundle)
    for bundle in bundles:
        go_through_bundle(protocol, bundle, work, gpu)
    protocol.go("temperatures after", look_at_heat)


def no_bundle() -> Facts:
    """Nothing to finish."""
    raise SkippedError("none was given: first_board.py BUNDLE… with folders that a host has built")


def go_through_bundle(protocol: Protocol, bundle: Path, work: Path, gpu: str) -> None:
    """What is to be seen of one bundle."""
    own = work / bundle.name
    own.mkdir()
    done, measured = f"{bundle.name}: finish", f"{bundle.name}: latency and memory"

    def go(name: str, look: Callable[[], Facts], after: str = done) -> None:
        protocol.go(f"{bundle.name}: {name}", look, after=after)

    go("ONNX Runtime fallback", lambda: verify(bundle, "--backend", "onnx"), "")
    go("finish", lambda: finish(bundle), gpu)
    go("self-test on the engine", lambda: verify(bundle))
    go("gate on the engine", lambda: check_gate(bundle))
    go("strangers are refused", lambda: check_engine_matches_device(bundle, own))
    go("latency and memory", lambda: measure_apart(bundle))
    go("CUDA graph", lambda: check_graph(protocol, measured), measured)
    go("trtexec with and without CUDA graph", lambda: time_by_trtexec(bundle))
    go("health check", lambda: check_health(bundle, own))


def asdict_of(struct: Any) -> Facts:
    """Fields of a typed record."""
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 where every line is OK."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Raw)
    parser.add_argument("bundles", nargs="*", type=Path, metavar="BUNDLE")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure is not None:
        print(json.dumps(measure(given.measure)))
        return 0
    protocol, work = Protocol(), Path(tempfile.mkdtemp(prefix="edgekd-first-board-"))
    go_through(protocol, [bundle.absolute() for bundle in given.bundles], work)
    counts = protocol.count()
    if not counts["FAIL"]:
        shutil.rmtree(work)
    result = {
        "schema_version": 1,
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": local_facts(),
        "counts": counts,
        "logs": str(work) if counts["FAIL"] else None,
        "lines": [asdict(line) for line in protocol.lines],
    }
    print(json.dumps(result, indent=2, default=str))
    return 0 if counts["OK"] == len(protocol.lines) else 1


_Raw = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    sys.exit(main())
