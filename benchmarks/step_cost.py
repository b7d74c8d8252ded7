"""What a training step of each method costs compared with plain `kd`.

python benchmarks/step_cost.py --views 128 --size 224 --teacher resnet50 --arch mobilenetv2_100

The methods take turns, step by step, so that whatever else the machine does falls on all of them
alike; the ratio to `kd` is taken within each round, and its median over the rounds is reported.
Peak memory is that of a process of its own for each method (ru_maxrss, a step after the imports).
Networks have random weights, which costs the same. `ssd_kd` sees views/4 images in four views each.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from edgekd.distill.losses import class_weights
from edgekd.distill.methods import Batch, MethodContext, method_names, resolve_method
from edgekd.distill.methods.ssd_kd import VIEWS
from edgekd.distill.training.optimisation import make_optimizer
from edgekd.models import NormalisedNetwork, create_network
from edgekd.recipe import FitSection

CLASSES = 8
SAMPLES = 7000
"""Training images that memory banks hold: about seven tenths of HAM10000."""
LATE = 1000
"""A late epoch, in which every loss term is active."""
BASELINE = "kd"
Step = Callable[[], None]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table, write the JSON."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    if options.peak_of:
        _step_of(options.peak_of, options)()
        print(_peak_bytes())
        return 0
    # Before this process grows: Linux lets a child start from its parent's peak.
    peaks = {n: None if options.no_memory else _peak_in_child(n, options) for n in options.methods}
    seconds = _interleaved(options)
    rows = [_row(name, seconds, peaks[name]) for name in seconds]
    _print_table(rows)
    if options.json:
        Path(options.json).write_text(json.dumps(_result(options, rows), indent=2) + "\n")
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=_comparable())
    parser.add_argument("--views", "--batch", type=int, default=128, help="views of a step")
    parser.add_argument("--size", type=int, default=224, help="side of an image in pixels")
    parser.add_argument("--teacher", default="resnet50")
    parser.add_argument("--arch", default="mobilenetv2_100", help="the student")
    parser.add_argument("--repeat", type=int, default=5, help="rounds after one to warm up")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-memory", action="store_true", help="leave the peak memory out")
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.methods = list(dict.fromkeys([BASELINE, *options.methods]))
    return options


def _comparable() -> list[str]:
    """All distilling methods but those that need subclass labels."""
    names = [name for name in method_names() if name != "none"]
    return [n for n in names if not resolve_method({"name": n})[0].learns_subclasses]


def _step_of(name: str, options: argparse.Namespace) -> Step:
    """One optimisation step of a method's last stage."""
    torch.manual_seed(0)
    kind, config = resolve_method({"name": name})
    fit = FitSection(optimizer="sgd")
    counts = (1,) * CLASSES
    context = MethodContext(
        counts, class_weights(counts, "none"), SAMPLES, options.size, fit,
        training_labels=torch.arange(SAMPLES) % CLASSES,
    )  # fmt: skip
    student, teacher = (_network(arch) for arch in (options.arch, options.teacher))
    method = kind(config, student, teacher, context).to(options.device)
    stage = method.stages()[-1]
    for module in stage.updated:
        module.train()
    optimizer = make_optimizer(stage.trained, fit)
    batch = _batch(name, options)

    def step() -> None:
        optimizer.zero_grad()
        torch.stack(list(stage.objective(batch).values())).sum().backward()
        optimizer.step()
        if stage.after_step is not None:
            stage.after_step()
        if options.device == "cuda":
            torch.cuda.synchronize()

    return step


def _network(arch: str) -> NormalisedNetwork:
    network = create_network(arch, CLASSES).to(memory_format=torch.channels_last)
    return NormalisedNetwork(network, (0.5,) * 3, (0.5,) * 3)


def _batch(name: str, options: argparse.Namespace) -> Batch:
    images = options.views // VIEWS if name == "ssd_kd" else options.views
    raw = torch.rand(images, 3, options.size, options.size, device=options.device)
    targets = torch.arange(images, device=options.device)
    return Batch(raw, targets % CLASSES, targets, LATE)


def _interleaved(options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each method in each round; the first round is not counted."""
    steps = {name: _step_of(name, options) for name in options.methods}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.repeat + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _row(name: str, seconds: dict[str, list[float]], peak: int | None) -> dict[str, Any]:
    ratios = [own / base for own, base in zip(seconds[name], seconds[BASELINE], strict=True)]
    return {
        "method": name,
        "seconds": median(seconds[name]),
        "ratio": median(ratios),
        "ratios": ratios,
        "peak_bytes": peak,
    }


def _peak_in_child(name: str, options: argparse.Namespace) -> int:
    passed = ("views", "size", "teacher", "arch", "threads", "device")
    flags = [text for key in passed for text in (f"--{key}", str(getattr(options, key)))]
    command = [sys.executable, __file__, *flags, "--peak-of", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _print_table(rows: list[dict[str, Any]]) -> None:
    print(f"{'method':<8} {'s/step':>8} {'vs kd':>7} {'peak MiB':>9}")
    for row in rows:
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**20:.0f}"
        print(f"{row['method']:<8} {row['seconds']:8.3f} {row['ratio']:7.2f} {peak:>9}")


def _result(options: argparse.Namespace, rows: list[dict[str, Any]]) -> dict[str, Any]:
    keys = ("views", "size", "teacher", "arch", "repeat", "threads", "device")
    about = {key: getattr(options, key) for key in keys}
    return {**about, "machine": platform.machine(), "torch": torch.__version__, "rows": rows}


if __name__ == "__main__":
    sys.exit(main())
