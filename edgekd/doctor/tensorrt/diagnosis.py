"""What this machine can do with jetson bundles: a Jetson, or a host that has none of TensorRT."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgekd.doctor.finding import Finding
from edgekd.doctor.packages import try_packages
from edgekd.doctor.tensorrt import board
from edgekd.doctor.tensorrt.jetpack import JETPACKS, jetpack_of
from edgekd.errors import EdgekdError
from edgekd.lower.backends.tensorrt.job import EngineJob, Library
from edgekd.lower.backends.tensorrt.one_op import build_one_op, run_one_op
from edgekd.lower.jobs.process import JobError
from edgekd.runtime.sessions.tensorrt.environment import l4t_release

__all__ = ["Machine", "examine_jetson", "examine_state"]

_MISSING = 3  # exit code of a package that is not there
_GIB = 1 << 30
_HOT = 85.0
"""Degrees Celsius: an Orin slows down from 99 on."""
_ADD_SWAP = (
    "add a file: sudo fallocate -l 4G /swapfile; sudo chmod 600 /swapfile; sudo mkswap /swapfile; "
    "sudo swapon /swapfile"
)
_PINNED = "sudo jetson_clocks holds them; without it times vary"


@dataclass(frozen=True)
class Machine:
    """Where to look.

    Attributes:
        root: Where the file system begins.
        library: TensorRT, or TensorRT-RTX, which builds on a CPU.
        capabilities: Of the GPUs that TensorRT-RTX builds for.
        session: Name of the session backend that runs an engine.
    """

    root: Path = Path("/")
    library: Library = "tensorrt"
    capabilities: tuple[str, ...] = ()
    session: str = "tensorrt"

    def job(self, folder: Path) -> EngineJob:
        """What builds an engine into a folder."""
        out, library = str(folder / "engine"), self.library
        return EngineJob(out=out, library=library, capabilities=self.capabilities)


_RTX = Machine(library="tensorrt-rtx", capabilities=("SM86",))


def examine_jetson(target: str = "jetson", machine: Machine | None = None) -> list[Finding]:
    """Build and run the smallest engine, and look at the board if this is one.

    Args:
        target: Name of the target whose bundles are meant.
        machine: Where to look; None is this machine.

    Returns:
        The findings. Where no engine runs they say what can be done without one. On a Jetson that
        is `needed`, as it is where TensorRT is there; other machines build and check bundles.
    """
    machine = machine or Machine()
    l4t = l4t_release(machine.root)
    found = [] if not l4t else [_system(l4t)]
    engine = _engine(f"run {target} bundles", machine, needed=bool(l4t))
    found += engine
    if not engine[-1].works:
        found += _without_tensorrt(target)
    if l4t:
        found += examine_state(machine.root)
    return found


def _system(l4t: str) -> Finding:
    known = jetpack_of(l4t)
    if known is None:
        newest = JETPACKS[-1]
        words = f"L4T {l4t} is newer than JetPack {newest.name}, the last that edgekd knows of"
        return Finding("JetPack", True, False, words)
    brings = f"TensorRT {known.tensorrt}, CUDA {known.cuda}, Python {known.python}"
    words = f"{known.name} (L4T {l4t}), which brings {brings}"
    if known.advice:
        return Finding("use this JetPack", False, True, f"{words}; {known.advice}")
    return Finding("JetPack", True, False, words)


# ---- the engine ----


def _engine(ability: str, machine: Machine, *, needed: bool) -> list[Finding]:
    """One finding for building, and one for running where that went well."""
    folder = Path(tempfile.mkdtemp(prefix="edgekd-doctor-"))
    try:
        built = build_one_op(machine.job(folder), log=folder / "build.log")
    except JobError as error:
        return [_failed(ability, error, folder, needed=needed)]
    words = f"a one-op engine in {built.seconds:.1f} s by {built.environment}"
    found = [Finding("build an engine", True, False, words)]
    try:
        took = run_one_op(folder / "engine", session=machine.session, log=folder / "run.log")
    except EdgekdError as error:
        return [*found, _failed(ability, error, folder, needed=needed)]
    shutil.rmtree(folder)
    return [*found, Finding(ability, True, needed, f"the one-op engine ran in {took:.2f} ms")]


def _failed(ability: str, error: EdgekdError, folder: Path, *, needed: bool) -> Finding:
    """What went wrong; the logs are kept unless a package is all that lacks.

    A machine may well have no TensorRT. One that has it, and cannot use it, is to be put right.
    """
    if error.exit_code != _MISSING:
        return Finding(ability, False, True, f"{error.message}; {error.hint}")
    shutil.rmtree(folder)
    what = error.message.partition(": ")[2]
    remedy = error.hint.partition("; see ")[0]
    if "cuda-python" in what:
        return Finding(ability, False, True, f"{what}; {remedy}", "cuda-python", "tensorrt")
    return Finding(ability, False, needed, f"{what}; {remedy}", "tensorrt", "tensorrt")


def _without_tensorrt(target: str) -> Iterator[Finding]:
    """What a machine without TensorRT still does for the target."""
    ability = f"check {target} bundles against TensorRT's parser and builder"
    yield _built_by_rtx(ability)
    by_onnx = try_packages(
        f"run {target} bundles by ONNX Runtime", ("onnxruntime",), "onnx", needed=False
    )
    if not by_onnx.works:
        yield by_onnx
        return
    words = f"{by_onnx.detail}: the same answers at another speed, edgekd predict … --backend onnx"
    yield replace(by_onnx, detail=words)


def _built_by_rtx(ability: str) -> Finding:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        words = "TensorRT-RTX's wheels are for x86-64 Linux; do it where the bundle is built"
        return Finding(ability, False, False, words)
    folder = Path(tempfile.mkdtemp(prefix="edgekd-doctor-"))
    try:
        built = build_one_op(_RTX.job(folder), log=folder / "build.log")
    except JobError as error:
        missing = _failed(ability, error, folder, needed=False)
        return replace(missing, needed=False, extra="tensorrt-check" if missing.package else "")
    shutil.rmtree(folder)
    return Finding(ability, True, False, f"a one-op engine by {built.environment.tensorrt}")


# ---- the state of a board ----


def examine_state(root: Path = Path("/")) -> list[Finding]:
    """Power mode, clocks, memory, swap and heat of a Jetson.

    Args:
        root: Where `proc` and `sys` are.
    """
    return [_power(), *_clocks(root), _memory(root), _swap(root), *_heat(root)]


def _power() -> Finding:
    mode = board.power_mode()
    if mode is None:
        words = "nvpmodel does not tell (in a container it is not there): ask it outside"
        return Finding("power mode", False, False, words)
    if mode.upper().startswith("MAXN"):
        return Finding("power mode", True, False, mode)
    advice = "sudo nvpmodel -p --verbose lists the modes, sudo nvpmodel -m NUMBER sets one"
    return Finding("power mode", False, False, f"{mode}, not the fastest: {advice}")


def _clocks(root: Path) -> Iterator[Finding]:
    seen = board.clocks(root)
    if not seen:
        yield Finding("clocks", False, False, "neither cpufreq nor devfreq tells")
    for clock in seen:
        words = f"{clock.now} MHz, held"
        if not clock.held:
            between = f"{clock.low} to {clock.high} MHz by {clock.governor}"
            words = f"{clock.now} MHz, may be {between}; {_PINNED}"
        yield Finding(f"clock of {clock.name}", clock.held, False, words)


def _memory(root: Path) -> Finding:
    told = board.memory(root)
    if "MemAvailable" not in told:
        return Finding("memory", False, False, "the system does not tell")
    free, total = told["MemAvailable"], told.get("MemTotal", 0)
    words = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB are available"
    if free >= _GIB:
        return Finding("memory", True, False, words)
    advice = "little for building an engine: end other programs, the desktop first"
    return Finding("memory", False, False, f"{words}; {advice}")


def _swap(root: Path) -> Finding:
    on = board.swaps(root)
    words = ", ".join(f"{name} {size / _GIB:.1f} GiB" for name, size in sorted(on.items()))
    if any(not name.rpartition("/")[2].startswith("zram") for name in on):
        return Finding("swap", True, False, words)
    if on:
        words += ": compressed memory, which gives a build little"
    return Finding("swap", False, False, f"{words or 'none'}; where builds are killed, {_ADD_SWAP}")


def _heat(root: Path) -> Iterator[Finding]:
    zones = board.temperatures(root)
    if zones:
        told = ", ".join(f"{name} {value:.0f} °C" for name, value in zones.items())
        cool = max(zones.values()) < _HOT
        advice = "" if cool else "; it slows down soon: let it cool, see to its fan"
        yield Finding("temperature", cool, False, f"{told}{advice}")
