"""What a student learns of its teacher without any image, and what meta-learning saves.

OMP_NUM_THREADS=1 python benchmarks/data_free.py --out runs/data-free --markdown data-free.md

A teacher is trained on painted images. Students are distilled from it with `data: {source: none}`:
by `fastdfkd` with meta-learning (with five iterations and with two), by the same generator begun
again for each batch (with five, ten, fifteen and fifty iterations), and by `cgdd`. Painted test
images that neither has seen judge all of them. Seconds of synthesis are those of the processor in
one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from markdown_tables import markdown_table

from edgekd.cli.console import exit_code_of, publish, say
from edgekd.distill.methods.fastdfkd import FastDataFree
from edgekd.distill.runs.pipeline import RunRequest, distill, train
from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.metrics import Metrics, metrics_of
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import Recipe, convert

ITERATIONS = 5
RECIPE: dict[str, Any] = {
    "name": "data-free",
    "image_size": 32,
    "data": {"source": "synthetic", "images": 2000, "size": 64, "seed": 7},
    "split": {"validation": 0.1, "test": 0.3},
    "teacher": {
        "model": {"arch": "resnet10t", "options": {"channels": [16, 32, 64, 128]}},
        "fit": {"epochs": 12, "batch_size": 32, "learning_rate": 4e-3, "class_sampling": "sqrt",
                "class_weights": "none"},
    },
    "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
}  # fmt: skip
STUDENT = {
    "model": {"arch": "resnet10t", "options": {"channels": [8, 16, 32, 64], "stem_width": 16}},
    "fit": {"epochs": 16, "batch_size": 64, "learning_rate": 4e-3},
}
FAST = {"name": "fastdfkd", "steps": 50, "width": 32, "latent": 64, "warmup": 8, "reset": 0,
        "generator_rate": 3e-3, "temperature": 4.0}  # fmt: skip
METHODS: dict[str, dict[str, Any]] = {
    "fastdfkd, FOMAML": {**FAST, "iterations": ITERATIONS},
    "without meta-learning": {**FAST, "meta": "none", "iterations": ITERATIONS},
    "without, 10 × the iterations": {**FAST, "meta": "none", "iterations": 10 * ITERATIONS},
    "without, 3 × the iterations": {**FAST, "meta": "none", "iterations": 3 * ITERATIONS},
    "cgdd": {"name": "cgdd", "steps": 50, "width": 32, "latent": 64},
    "fastdfkd, FOMAML, 2 iterations": {
        **FAST, "iterations": 2, "generator_rate": 2e-3, "latent_rate": 0.015,
    },
    "without, 10 iterations": {**FAST, "meta": "none", "iterations": 10},
}  # fmt: skip
HEADER = ("network", "balanced accuracy", "95 % interval", "of the teacher's", "synthesis in s")


def main(arguments: list[str] | None = None) -> int:
    """Train the teacher, distil without images, compare on images."""
    options = _options(arguments)
    return exit_code_of(lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    recipe = convert({**RECIPE, "seed": options.seed}, Recipe, "the benchmark's recipe")
    samples = load_samples(recipe)
    teacher = options.out / "teacher"
    train(RunRequest(recipe, teacher, say))
    best = _metrics(teacher, samples)
    rows = [_row("teacher", best, best, "")]
    for number, (name, method) in enumerate(METHODS.items()):
        if options.only and number not in options.only:
            continue
        raw = {
            **RECIPE, "seed": options.seed, "student": STUDENT, "method": method,
            "data": {"source": "none", "classes": list(samples.classes)},
            "teacher": {"checkpoint": str(teacher)},
        }  # fmt: skip
        out = options.out / f"student-{number}"
        with _timed() as seconds:
            distill(RunRequest(convert(raw, Recipe, name), out, say, resume=False))
        spent = f"{sum(seconds):.1f}" if seconds else "with every step"
        rows.append(_row(name, _metrics(out / "student", samples), best, spent))
        say(markdown_table(HEADER, rows))
    values = [dict(zip(HEADER, row, strict=True)) for row in rows]
    publish(markdown_table(HEADER, rows), values, markdown=options.markdown, json=options.json)
    return 0


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Processor seconds of each synthesis in the block."""
    seconds: list[float] = []
    synthesise = FastDataFree._synthesise

    def timed(self: FastDataFree, *arguments: Any, **named: Any) -> None:
        start = time.process_time()
        synthesise(self, *arguments, **named)
        seconds.append(time.process_time() - start)

    with mock.patch.object(FastDataFree, "_synthesise", timed):
        yield seconds


def _metrics(folder: Path, samples: RunSamples) -> Metrics:
    """Of a checkpoint on the painted test images."""
    images, targets = samples.part("test")
    logits = logits_of(load_checkpoint(folder).normalised(), images)
    return metrics_of(logits, targets, samples.classes, groups=samples.groups("test"))


def _row(name: str, metrics: Metrics, best: Metrics, seconds: str) -> tuple[str, ...]:
    found, of = metrics.balanced_accuracy, best.balanced_accuracy
    assert found.value is not None
    assert of.value is not None
    interval = f"{found.low:.3f} to {found.high:.3f}"
    return (name, f"{found.value:.3f}", interval, f"{found.value / of.value:.0%}", seconds)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the methods, from 0")
    parser.add_argument("--json", type=Path, help="file for its values")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
