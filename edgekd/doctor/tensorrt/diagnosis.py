"""Whether this machine can run TensorRT bundles: a Jetson, or a host without TensorRT."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgekd.doctor.finding import Finding
from edgekd.doctor.packages import importable, try_packages
from edgekd.doctor.tensorrt import board
from edgekd.doctor.tensorrt.jetpack import JETPACKS, jetpack_of
from edgekd.errors import EdgekdError
from edgekd.extensions.backends import backend_named
from edgekd.extensions.engines.tensorrt import BACKEND
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
    """The machine to examine.

    Attributes:
        root: Root of its file system.
        library: TensorRT, or TensorRT-RTX, which builds on a CPU.
        capabilities: Compute capabilities that TensorRT-RTX builds for.
        session: Name of the session backend that runs an engine.
    """

    root: Path = Path("/")
    library: Library = "tensorrt"
    capabilities: tuple[str, ...] = ()
    session: str = "tensorrt"

    def job(self, folder: Path) -> EngineJob:
        """The job that builds an engine into a folder."""
        out, library = str(folder / "engine"), self.library
        return EngineJob(out=out, library=library, capabilities=self.capabilities)


_RTX = Machine(library="tensorrt-rtx", capabilities=("SM86",))


def examine_jetson(target: str = "jetson", machine: Machine | None = None) -> list[Finding]:
    """Build and run the smallest engine, and examine the state of a Jetson.

    Args:
        target: Name of the target.
        machine: The machine to examine; None is this one.

    Returns:
        The findings. Where no engine runs they say what can be done without one. Running an engine
        is `needed` on a Jetson, and where TensorRT is installed; other machines build and check
        bundles.
    """
    machine = machine or Machine()
    l4t = l4t_release(machine.root)
    findings = [] if not l4t else [_system(l4t)]
    engine = _engine(f"run {target} bundles", machine, needed=bool(l4t))
    findings += engine
    if not engine[-1].works:
        findings += _without_tensorrt(target)
    if l4t:
        findings += examine_state(machine.root)
    return findings


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
    """One finding for building the engine, and one for running it where it was built."""
    folder = Path(tempfile.mkdtemp(prefix="edgekd-doctor-"))
    try:
        built = build_one_op(machine.job(folder), log=folder / "build.log")
    except JobError as error:
        return [_failed(ability, error, folder, needed=needed)]
    words = f"a one-op engine in {built.seconds:.1f} s by {built.environment}"
    findings = [Finding("build an engine", True, False, words)]
    try:
        took = run_one_op(folder / "engine", session=machine.session, log=folder / "run.log")
    except EdgekdError as error:
        return [*findings, _failed(ability, error, folder, needed=needed)]
    shutil.rmtree(folder)
    return [*findings, Finding(ability, True, needed, f"the one-op engine ran in {took:.2f} ms")]


def _failed(ability: str, error: EdgekdError, folder: Path, *, needed: bool) -> Finding:
    """The failure; logs are kept unless the cause is a package that is not installed.

    A machine may well be without TensorRT. One that has it and cannot use it has a fault.
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
    """What a machine without TensorRT can still do for the target."""
    ability = f"check {target} bundles against TensorRT's parser and builder"
    yield _built_by_rtx(ability)
    host = backend_named(BACKEND.host_session)
    on_host = try_packages(
        f"run {target} bundles by {host.title}",
        importable(host.engine),
        host.extra,
        needed=False,
    )
    if not on_host.works:
        yield on_host
        return
    how = f"the same outputs at another speed, edgekd predict … --backend {host.name}"
    yield replace(on_host, detail=f"{on_host.detail}: {how}")


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
    """Power mode, clocks, memory, swap and temperature of a Jetson.

    Args:
        root: Folder of `proc` and `sys`.
    """
    return [_power(), *_clocks(root), _memory(root), _swap(root), *_temperature(root)]


def _power() -> Finding:
    mode = board.power_mode()
    if mode is None:
        words = "nvpmodel does not report it (containers lack it): run it outside"
        return Finding("power mode", False, False, words)
    if mode.upper().startswith("MAXN"):
        return Finding("power mode", True, False, mode)
    advice = "sudo nvpmodel -p --verbose lists the modes, sudo nvpmodel -m NUMBER sets one"
    return Finding("power mode", False, False, f"{mode}, not the fastest: {advice}")


def _clocks(root: Path) -> Iterator[Finding]:
    seen = board.clocks(root)
    if not seen:
        yield Finding("clocks", False, False, "neither cpufreq nor devfreq reports them")
    for clock in seen:
        words = f"{clock.now} MHz, held"
        if not clock.held:
            between = f"{clock.low} to {clock.high} MHz by {clock.governor}"
            words = f"{clock.now} MHz, may be {between}; {_PINNED}"
        yield Finding(f"clock of {clock.name}", clock.held, False, words)


def _memory(root: Path) -> Finding:
    amounts = board.memory(root)
    if "MemAvailable" not in amounts:
        return Finding("memory", False, False, "the system does not report it")
    free, total = amounts["MemAvailable"], amounts.get("MemTotal", 0)
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


def _temperature(root: Path) -> Iterator[Finding]:
    zones = board.temperatures(root)
    if zones:
        words = ", ".join(f"{name} {value:.0f} °C" for name, value in zones.items())
        cool = max(zones.values()) < _HOT
        advice = "" if cool else "; it will soon slow down: let it cool, check its fan"
        yield Finding("temperature", cool, False, f"{words}{advice}")
