"""What int8 costs a student before and after `finish: {quantisation: int8}`.

python benchmarks/int8_finish.py --out runs/int8-finish --seeds 3 --markdown int8_finish.md

For each seed one student is distilled on painted images and finished twice: in simulated int8, and
as a control by the same stage in float, which shows what further training alone does. The student
before, after and of the control is lowered to int8 (first layer in float, calibrated on training
images), and each file answers the test images by its own runtime. Its loss is the divergence from
that student in float (KL in nats, and the share of decisions that flip).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from markdown_tables import markdown_table
from safetensors.torch import load_file
from scipy.special import log_softmax

from edgekd.cli.console import exit_code_of, publish, say
from edgekd.distill.runs.pipeline import RunRequest, distill
from edgekd.distill.runs.stage_runs import STAGES
from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.distill.training.int8_grid import FINISH, Int8Grid
from edgekd.lower.backends import get_backend
from edgekd.lower.graph import deploy_graph
from edgekd.lower.int8.calibration import draw_calibration
from edgekd.lower.int8.stem import stem_of, with_float_stem
from edgekd.lower.precision import Variant
from edgekd.metrics import metrics_of
from edgekd.models import Checkpoint, load_checkpoint
from edgekd.recipe import Recipe, convert
from edgekd.runtime.sessions import open_session
from edgekd.seals import unseal_files

BACKENDS = ("onnx", "tflite")
FIT = {"batch_size": 32, "class_weights": "none", "class_sampling": "sqrt"}
RECIPE: dict[str, Any] = {
    "name": "int8-finish",
    "image_size": 48,
    "data": {"source": "synthetic", "images": 700, "size": 64, "seed": 7},
    "split": {"validation": 0.2, "test": 0.3},
    "teacher": {
        "model": {"arch": "resnet10t", "options": {"channels": [16, 32, 64, 128]}},
        "fit": {**FIT, "epochs": 6, "learning_rate": 4e-3},
    },
    "student": {
        "model": {"arch": "mobilenetv2_035", "options": {"drop_rate": 0.0}},
        "fit": {**FIT, "epochs": 8, "learning_rate": 4e-3},
    },
    "method": {"name": "kd", "temperature": 2.0},
    "finish": {"quantisation": "int8", "epochs": 3, "learning_rate": 5e-4},
    "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
}
HEADER = ("seed", "student", "file", "KL", "flips", "balanced accuracy in float", "in int8")


def main(arguments: list[str] | None = None) -> int:
    """Train, lower, compare."""
    options = _options(arguments)
    return exit_code_of(lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    rows: list[tuple[Any, ...]] = []
    for seed in range(options.seeds):
        recipe = convert({**RECIPE, "seed": seed}, Recipe, "the benchmark's recipe")
        samples = load_samples(recipe)
        for name, student in _students(recipe, options.out / f"seed-{seed}"):
            for row in _losses(student, samples, recipe.image_size):
                rows.append((seed, name, *row))
                say(" | ".join(str(value) for value in rows[-1]))
    publish(markdown_table(HEADER, rows), rows, markdown=options.markdown, json=None)
    return 0


def _students(recipe: Recipe, out: Path) -> Iterator[tuple[str, Checkpoint]]:
    distill(RunRequest(recipe, out / "finished", say))
    _copy_before(out / "finished", out / "control")
    with _float_stage():
        distill(RunRequest(recipe, out / "control", say))
    finished = load_checkpoint(out / "finished" / "student")
    before = load_checkpoint(out / "finished" / "student")
    weights = load_file(out / "finished" / "student" / "stages" / "student.safetensors")
    prefix = "student.network."
    state = {name.removeprefix(prefix): t for name, t in weights.items() if prefix in name}
    before.network.load_state_dict(state)
    yield "before", before
    yield "after", finished
    yield "control", load_checkpoint(out / "control" / "student")


def _copy_before(run: Path, copy: Path) -> None:
    """Copy a run as it was before its last stage: the teacher, and the stages before."""
    shutil.copytree(run / "teacher", copy / "teacher", dirs_exist_ok=True)
    stages = copy / "student" / STAGES
    shutil.copytree(run / "student" / STAGES, stages, dirs_exist_ok=True)
    unseal_files(stages, [f"{FINISH}.safetensors", f"{FINISH}.csv"])
    for file in stages.glob(f"{FINISH}.*"):
        file.unlink()


@contextmanager
def _float_stage() -> Iterator[None]:
    """The finishing stage without rounding: as many epochs at the same rates, in float."""
    with mock.patch.object(Int8Grid, "simulated", return_value=nullcontext()):
        yield


def _losses(student: Checkpoint, samples: RunSamples, size: int) -> Iterator[tuple[Any, ...]]:
    card = student.card
    graph = deploy_graph(
        student.network, card.mean, card.std, trained_in_int8=card.training.finished_in_int8
    )
    images, labels = samples.part("test")
    drawn = draw_calibration(samples.split, samples.images).images
    variant = with_float_stem(Variant(precision="int8"), stem_of(graph, size))
    with torch.no_grad():
        plain = graph(torch.from_numpy(images)).numpy()
    for name in BACKENDS:
        backend = get_backend(name)
        with tempfile.TemporaryDirectory() as folder:
            backend.lower(graph, size, variant, drawn, Path(folder))
            file = Path(folder) / backend.model_file
            with closing(open_session(backend.host_session, file, threads=1)) as session:
                answers = np.concatenate([session.run(image[None]) for image in images])
        p, q = log_softmax(plain, axis=1), log_softmax(answers, axis=1)
        divergence = float((np.exp(p) * (p - q)).sum(axis=1).mean())
        flips = float((plain.argmax(axis=1) != answers.argmax(axis=1)).mean())
        scores = [metrics_of(each, labels, samples.classes) for each in (plain, answers)]
        accuracy = [score.balanced_accuracy.value for score in scores]
        yield name, f"{divergence:.5f}", f"{flips:.4f}", *(f"{value:.4f}" for value in accuracy)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Loss by int8 before and after a finish for it.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--markdown", type=Path, help="write the table here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
