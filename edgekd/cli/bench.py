"""`edgekd bench`, which `benchmarks/run.py` calls."""

from __future__ import annotations

import shlex
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import report_error, say
from edgekd.cli.places import Reads, Writes
from edgekd.cli.trusting import TrustCode, trust_checkpoints
from edgekd.errors import (
    DeviceUnreachableError,
    EdgekdError,
    InputError,
    MissingDependencyError,
)
from edgekd.policy import DEFAULT_POLICY, load_policy
from edgekd.streams import is_stream

if TYPE_CHECKING:
    from edgekd.bench.result import Result
    from edgekd.bench.run.request import BenchRequest

__all__ = ["PresetName", "bench"]

_DEMO = Path("runs/demo")


class PresetName(str, Enum):
    """How long to measure; `smoke` only shows that the chain works."""

    smoke = "smoke"
    rapid = "rapid"
    quick = "quick"
    normal = "normal"
    sustained = "sustained"


def bench(
    device: Annotated[
        str, typer.Option(help="A target or a name of devices.toml; several with commas.")
    ],
    bundle: Annotated[
        list[Path] | None,
        Reads.BUNDLE,
        typer.Option(help="Bundles; by default those of the run."),
    ] = None,
    run: Annotated[
        Path | None,
        Reads.RUN,
        typer.Option(help="Folder of a run: its teacher, student, bundles, test part."),
    ] = None,
    preset: Annotated[PresetName, typer.Option(help="How long to measure.")] = PresetName.quick,
    limit: Annotated[int | None, typer.Option(help="At most so many test images.")] = None,
    threads: Annotated[
        str | None, typer.Option(help="Threads of the engines; 1,2,4 sweeps over them.")
    ] = None,
    minutes: Annotated[
        int | None, typer.Option(help="Length of --preset sustained, up to 30.")
    ] = None,
    data_root: Annotated[
        Path | None,
        Reads.IMAGES,
        typer.Option(help="Where the run's images are now, if they moved."),
    ] = None,
    wheelhouse: Annotated[
        Path | None,
        Reads.WHEELHOUSE,
        typer.Option(help="Wheels for a board that has no network."),
    ] = None,
    meter: Annotated[
        Path | None,
        Reads.METER,
        typer.Option(
            help="CSV of the power meter that the device hangs on: `time` (Unix seconds by this "
            "machine's clock, or ISO 8601 with zone) and `watts`, or `volts` and `amperes`. It "
            "takes the place of the device's own sensor."
        ),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            help="Policy whose margin and words hold for bundles that record none: a name, or a "
            ".toml file."
        ),
    ] = DEFAULT_POLICY,
    clean_device: Annotated[
        bool, typer.Option(help="Remove what edgekd put on the device, and do nothing else.")
    ] = False,
    json: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option("--json", help="File for the result; of several devices, one each."),
    ] = None,
    html: Annotated[Path | None, Writes.FILE, typer.Option(help="File for the page.")] = None,
    trust_code: TrustCode = False,
) -> None:
    """Measure teacher, student and bundles on a device, beside one another.

    Measurements are kept beside --json until the run is complete: the same command resumes after
    Ctrl-C or a lost connection.
    """
    from edgekd.bench.devices import check_device
    from edgekd.bench.report import check_page, print_table, write_page
    from edgekd.bench.result.file import write_result
    from edgekd.bench.run.request import BenchRequest
    from edgekd.bench.run.threads import parse_threads
    from edgekd.bench.subjects.run_folder import subjects_of_run
    from edgekd.bundle import Bundle

    names = list(dict.fromkeys(part.strip() for part in device.split(",")))
    for name in names:
        check_device(name)  # before a demo, which takes minutes, is made for it
    if clean_device:
        _clean(names)
        return
    load_policy(policy)
    if meter is not None:
        _check_meter(meter, names)
    if html is not None:
        check_page()
    counts = parse_threads(threads) if threads else ()
    for path in bundle or []:
        Bundle.open(path).close()  # refuse a damaged bundle before minutes of measuring
    folder = run or _default_run(bundle)
    trust_checkpoints([folder], trusted=trust_code)
    subjects = subjects_of_run(folder, data_root)
    requests = [
        BenchRequest(
            device=name,
            data=subjects.data,
            bundles=bundle or subjects.bundles_for(name),
            teacher=subjects.teacher,
            student=subjects.student,
            preset=preset.value,
            threads=counts[0] if counts else None,
            sweep=counts[1:],
            minutes=minutes,
            limit=limit,
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            out=_file_of(json, name, names),
            wheelhouse=wheelhouse,
            meter=meter,
            policy=policy,
        )
        for name in names
    ]
    results, failed = _measure(requests)
    for request, result in results:
        print_table(result)
        if request.out is not None:
            write_result(request.out, result)
            say(f"wrote {request.out}")
    if html is not None and results:
        write_page([result for _, result in results], html, images=subjects.data.find)
        say(f"wrote {html}")
    for error in failed:
        report_error(error)
    if failed:
        raise typer.Exit(failed[0].exit_code)
    _report_missing([result for _, result in results])


def _check_meter(meter: Path, names: list[str]) -> None:
    """Refuse an unusable power meter record before a demo is made, which takes minutes."""
    from edgekd.bench.meter import PowerMeter

    if len(names) > 1:
        message = f"one meter cannot measure {' and '.join(names)} apart"
        raise InputError(message, "measure one device after the other, or leave --meter out")
    PowerMeter(meter)


def _clean(names: list[str]) -> None:
    from edgekd.bench.devices.open import open_configured

    for name in names:
        device = open_configured(name)
        if device is None:
            raise InputError(f"no device {name} is configured", "nothing was put on this machine")
        device.clean()
        device.close()
        say(f"{name}: removed what edgekd had put there")


def _file_of(json: Path | None, name: str, names: list[str]) -> Path | None:
    if json is None or len(names) == 1:
        return json
    if is_stream(json):
        message = f"{json} cannot take the results of several devices"
        raise InputError(message, "name a file with --json; each device's gets its own name")
    return json.with_name(f"{json.stem}-{name}{json.suffix}")


def _measure(
    requests: list[BenchRequest],
) -> tuple[list[tuple[BenchRequest, Result]], list[EdgekdError]]:
    """Measure all requests, several devices at the same time; returns results and errors."""
    from edgekd.bench.run.harness import run_benchmark

    if len(requests) == 1:
        return [(requests[0], run_benchmark(requests[0]))], []
    from edgekd.bench.run.side_by_side import run_side_by_side

    say(f"measuring {', '.join(request.device for request in requests)} side by side")
    results, failed = [], []
    for request, outcome in zip(requests, run_side_by_side(requests), strict=True):
        try:
            results.append((request, outcome.require()))
        except EdgekdError as error:
            failed.append(error)
    return results, failed


def _report_missing(results: list[Result]) -> None:
    """Print every missing number, and raise the error of a run that ended early.

    Raises:
        DeviceUnreachableError: A device does not answer.
        MissingDependencyError: A device lacks Python or a package.
        KeyboardInterrupt: The user ended the run.
    """
    from edgekd.bench.report.flags import missing_sentence

    for result in results:
        for missing in result.missing:
            say(f"missing: {missing_sentence(missing)}")
    stops = {result.stop.kind: result.stop.message for result in results if result.stop}
    if "unreachable" in stops:
        hint = "check it with `edgekd doctor --device`; the same command resumes here"
        raise DeviceUnreachableError(stops["unreachable"], hint)
    if "lacking" in stops:
        hint = "install it there, or give --wheelhouse"
        raise MissingDependencyError(
            "a package", "", "measure there", message=stops["lacking"], hint=hint
        )
    if stops:
        raise KeyboardInterrupt


def _default_run(bundles: list[Path] | None) -> Path:
    """The run that the bundles belong to, or the demo's run, which is made if necessary."""
    for bundle in bundles or []:
        for folder in bundle.resolve().parents:
            if (folder / "student" / "model.json").is_file():
                return folder
    if bundles:
        message = f"{bundles[0]} does not stand in the folder of a run"
        raise InputError(message, "give the run's folder with --run")
    if not (_DEMO / "student" / "model.json").is_file():
        say("there is no run to measure yet: making the demo first (some minutes)")
        from edgekd.cli.demo import make_demo

        make_demo(_DEMO)
    return _DEMO
