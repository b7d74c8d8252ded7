"""What correcting the biases brings to int8 files of one student, on every engine.

python benchmarks/bias_correction.py ham10000-student --data-root DATA --markdown bias_correction.md

The student is lowered to int8 (first layer in float, calibrated on training images) twice for each
backend: with biases as they are, and corrected for the rounding of weights. Each file answers the
validation images by the engine that judges it on the host, on one thread. The student is compared
with itself in float: decisions that flip, balanced accuracy, and logits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from markdown_tables import markdown_table

from edgekd.cli.console import exit_code_of, publish, say
from edgekd.lower.backends import get_backend
from edgekd.lower.graph import deploy_graph
from edgekd.lower.int8.calibration import draw_calibration
from edgekd.lower.int8.stem import stem_of, with_float_stem
from edgekd.lower.precision import Variant
from edgekd.lower.source import Source, load_source
from edgekd.metrics import balanced_accuracy
from edgekd.resources import checkpoint_place
from edgekd.runtime.sessions import open_session

BACKENDS = ("tflite", "onnx", "openvino", "tensorrt")
HEADER = (
    "int8 for", "biases", "flips %", "balanced accuracy", "− float, points",
    "mean logit difference", "largest mean shift of a logit",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Lower, run, compare."""
    options = _options(arguments)
    return exit_code_of(lambda: _compare(options))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("student", help="checkpoint, folder of a run, or a student that ships")
    parser.add_argument("--data-root", type=Path, help="where the student's images are now")
    parser.add_argument(
        "--backends", nargs="+", default=BACKENDS, choices=BACKENDS, metavar="BACKEND"
    )
    parser.add_argument("--markdown", type=Path, help="write the table there")
    parser.add_argument("--json", type=Path, help="write the rows there")
    return parser.parse_args(arguments)


def _compare(options: argparse.Namespace) -> int:
    source = load_source(checkpoint_place(options.student), options.data_root)
    rows = []
    for row in _rows(source, options.backends):
        rows.append(row)
        say(" | ".join(map(str, row)))
    records = [dict(zip(HEADER, row, strict=True)) for row in rows]
    publish(markdown_table(HEADER, rows), records, markdown=options.markdown, json=options.json)
    return 0


def _rows(source: Source, backends: list[str]) -> Iterator[tuple[Any, ...]]:
    card, plain = source.card, source.outputs
    drawn = draw_calibration(source.split, source.pixels).images
    for backend in backends:
        for corrected in (False, True):
            graph = deploy_graph(
                source.checkpoint.network, card.mean, card.std, card.subclass_of,
                trained_in_int8=not corrected,
            )  # fmt: skip
            variant = with_float_stem(Variant(precision="int8"), stem_of(graph, card.image_size))
            answers = _answers(backend, graph, variant, drawn, source)
            error = answers - plain
            scores = [
                100 * (balanced_accuracy(each, source.targets) or 0.0) for each in (plain, answers)
            ]
            yield (
                backend,
                "corrected" if corrected else "as they are",
                f"{100 * (plain.argmax(1) != answers.argmax(1)).mean():.1f}",
                f"{scores[1]:.1f}",
                f"{scores[1] - scores[0]:+.1f}",
                f"{np.abs(error).mean():.3f}",
                f"{np.abs(error.mean(0)).max():.3f}",
            )


def _answers(name: str, graph: Any, variant: Variant, drawn: Any, source: Source) -> Any:
    backend = get_backend(name)
    with tempfile.TemporaryDirectory() as folder:
        backend.lower(graph, source.card.image_size, variant, drawn, Path(folder))
        file = Path(folder) / backend.model_file
        with closing(open_session(backend.host_session, file, threads=1)) as session:
            return np.concatenate([session.run(image[None]) for image in source.images])


if __name__ == "__main__":
    sys.exit(main())
