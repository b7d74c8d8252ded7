"""Measurement of a table of latencies by `edgekd bench`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import msgspec
import numpy as np
from filelock import FileLock
from rich.console import Console

from edgekd.bench.devices import check_device
from edgekd.bench.report.flags import missing_sentence
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.bench.subjects.data import BenchData
from edgekd.errors import DeviceUnreachableError, InputError
from edgekd.files import make_folder, scratch_folder, write_atomically
from edgekd.lower.build import BuildRequest, build_all
from edgekd.models import DataCard, ModelCard, TrainingCard, count_params, save_checkpoint
from edgekd.models.mobile import Mobile, MobileOptions, mobile_macs
from edgekd.runtime.preprocess import RULE
from edgekd.targets import load_target
from edgekd.tune.job import LOCAL
from edgekd.tune.latency import PRESET
from edgekd.tune.supernet.choices import ArchitectureChoices, drawn
from edgekd.tune.supernet.latency_table import (
    LatencyRow,
    LatencyTable,
    read_table,
    write_table,
)
from edgekd.tune.supernet.outcome import ARCH

__all__ = ["MeasuringRequest", "measured_network", "measured_table"]

_THIS_COMPUTER = "cpu"
_IMAGES = 8


@dataclass(frozen=True)
class MeasuringRequest:
    """What to measure.

    Attributes:
        choices: The networks.
        classes: Names of their outputs.
        image_size: S, the side in pixels.
        device: `local`, or a name as for `edgekd bench --device`.
        target: The target that networks are lowered for; None measures PyTorch on this machine.
        precision: Precision of the lowered files.
        networks: Number of networks, the smallest and the largest among them.
        preset: How long each is measured.
        say: Receives lines of progress.
    """

    choices: ArchitectureChoices
    classes: tuple[str, ...]
    image_size: int
    device: str = LOCAL
    target: str | None = None
    precision: str = "fp32"
    networks: int = 32
    preset: str = PRESET
    say: Callable[[str], None] = lambda line: None


def measured_table(request: MeasuringRequest, file: Path) -> LatencyTable:
    """The table in a file, which is measured where it is missing or incomplete.

    Weights are random: they do not matter for times. The file is written after each network.

    Raises:
        InputError: The device is unknown or takes lowered files alone, or the file is a table of
            another device, size or number of classes.
        DeviceUnreachableError: The device gave no time.
    """
    table = _begun(request, file)
    if table.complete:
        return table
    _refuse_unsuitable(request)
    rows = list(table.rows)
    probes = _probes(request.choices, request.networks)
    known = {row.options for row in rows}
    with FileLock(f"{file}.lock"):
        for options in [each for each in probes if each not in known]:
            row = measured_network(request, options)
            rows.append(row)
            write_table(file, msgspec.structs.replace(table, rows=rows))
            flag = ", flagged" if row.flagged else ""
            request.say(f"network {len(rows)}/{len(probes)}: p50 {row.p50_ms:.3g} ms{flag}")
    table = msgspec.structs.replace(table, rows=rows, complete=True)
    write_table(file, table)
    return table


def _begun(request: MeasuringRequest, file: Path) -> LatencyTable:
    """The table so far."""
    begun = LatencyTable(
        device=request.device, target=request.target, precision=request.precision,
        image_size=request.image_size, classes=len(request.classes), rows=[], complete=False,
    )  # fmt: skip
    if not file.exists():
        return begun
    table = read_table(file)
    if table.facts() != begun.facts():
        measured, needed = (", ".join(map(str, each.facts())) for each in (table, begun))
        message = f"{file} was measured for {measured}, and the search is for {needed}"
        hint = "give another file with --latency, or the --device and --lowered of the table"
        raise InputError(f"{message} (device, target, precision, side, classes)", hint)
    return table


def _refuse_unsuitable(request: MeasuringRequest) -> None:
    if request.device != LOCAL:
        check_device(request.device)
        if request.target is None:
            message = f"{request.device} runs lowered files, and the table would be of PyTorch"
            raise InputError(message, "add --lowered TARGET, or take --device local")
    if request.target is not None:
        load_target(request.target)


def _probes(choices: ArchitectureChoices, count: int) -> list[MobileOptions]:
    """Networks to measure: the smallest, the largest, and drawn ones; fewer in a small space."""
    random, probes = Random(0), dict.fromkeys((choices.smallest, choices.largest))
    for _ in range(100 * count):
        if len(probes) >= count:
            break
        probes[drawn(choices, random)] = None
    return list(probes)


def measured_network(request: MeasuringRequest, options: MobileOptions) -> LatencyRow:
    """Measure one network, with random weights.

    Raises:
        DeviceUnreachableError: The device gave no time.
    """
    with scratch_folder(Path(os.environ.get("TMPDIR", "/tmp")) / "edgekd-latency") as work:
        student = _checkpoint(request, options, work / "student")
        bundles = [] if request.target is None else [_lowered(request, student, work / "bundles")]
        bench = BenchRequest(
            device=_THIS_COMPUTER if request.device == LOCAL else request.device,
            data=_noise(request, work / "images"),
            bundles=bundles,
            student=None if bundles else student,
            preset=request.preset,
            command="edgekd tune",
        )
        with Path(os.devnull).open("w") as nowhere:
            result = run_benchmark(bench, console=Console(file=nowhere))
    (row,) = result.rows
    if row.latency_ms is None:
        reasons = "; ".join(missing_sentence(missing) for missing in result.missing)
        message = f"{request.device} gave no time: {reasons or 'it was not measured'}"
        raise DeviceUnreachableError(message, "check it with `edgekd doctor --device`")
    return LatencyRow(options=options, p50_ms=row.latency_ms.model.p50, flagged=not row.valid)


def _checkpoint(request: MeasuringRequest, options: MobileOptions, folder: Path) -> Path:
    """A checkpoint of the network with random weights, which has seen no image."""
    network = Mobile(options, len(request.classes))
    card = ModelCard(
        role="student", arch=ARCH, arch_options=options.plain,
        classes=request.classes, image_size=request.image_size, mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5), resize=RULE, params=count_params(network), pretrained="none",
        macs=mobile_macs(options, len(request.classes), request.image_size),
        data=DataCard(name="none", root="", sha256="", images={}),
        training=TrainingCard(method="none", seed=0, recipe_sha256="", stage_sha256="", epochs=0,
                              best_epoch=0),
    )  # fmt: skip
    save_checkpoint(folder, network, card)
    return folder


def _lowered(request: MeasuringRequest, student: Path, out: Path) -> Path:
    assert request.target is not None
    (built,) = build_all(
        BuildRequest(
            model=student, targets=[load_target(request.target)], out=out,
            precisions=(request.precision,), research=True,
        )
    )  # fmt: skip
    if built.error is not None:
        raise built.error
    assert built.path is not None  # the bundle, since there is no error
    return built.path


def _noise(request: MeasuringRequest, folder: Path) -> BenchData:
    """Images of noise: what they show does not matter for times."""
    make_folder(folder)
    random, images = np.random.default_rng(0), []
    for number in range(_IMAGES):
        pixels = random.integers(0, 256, (request.image_size, request.image_size, 3), np.uint8)
        _, encoded = cv2.imencode(".png", pixels)
        write_atomically(folder / f"{number}.png", encoded.tobytes())
        images.append((folder / f"{number}.png", request.classes[number % len(request.classes)]))
    return BenchData("noise", "validation", request.classes, images)
