"""Train one small network with many seeds and store its decisions on the test part.

python benchmarks/null_trial.py --data-root DIR --out runs/null-trial --keep seeds.npz

Two groups of these seeds differ by nothing but chance: what `edgekd compare` says of them shows how
often its intervals are wrong. tests/metrics/seeds_ham10000.npz is what this command stored for the
5,984 images of HAM10000 with one image for each lesion; `make simulation` runs the trial on it.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np

from edgekd.cli.console import exit_code_of, say
from edgekd.distill.runs.pipeline import RunRequest, train
from edgekd.distill.samples.run_samples import load_samples
from edgekd.files import write_atomically
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import load_recipe

SETTINGS = (
    "image_size=48",
    "student.fit.epochs=10",
    "trainer.threads=1",
    "trainer.accelerator=cpu",
)


def main(arguments: list[str] | None = None) -> int:
    """Train, predict the test part, and store the decisions."""
    options = _options(arguments)
    return exit_code_of(lambda: _keep(options))


def _keep(options: argparse.Namespace) -> int:
    decided = []
    for seed in range(options.seeds):
        settings = [*SETTINGS, f"data.root={options.data_root}", f"seed={seed}"]
        recipe = load_recipe(options.recipe, settings)
        folder = options.out / f"seed-{seed}"
        train(RunRequest(recipe, folder, say), "student")
        samples = load_samples(recipe)
        images, labels = samples.part("test")
        logits = logits_of(load_checkpoint(folder).normalised(), images)
        decided.append(logits.argmax(axis=1).astype(np.int8))
    content = io.BytesIO()
    np.savez_compressed(
        content,
        decided=np.stack(decided),
        labels=labels.astype(np.int8),
        classes=np.array(samples.classes),
    )
    write_atomically(options.keep, content.getvalue())
    say(f"wrote {options.keep}: {len(decided)} seeds, {len(labels)} images")
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", required=True, help="HAM10000 in its official layout")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--keep", type=Path, required=True, help="file for the decisions (npz)")
    parser.add_argument("--recipe", default="ham10000-kd", help="whose student is trained alone")
    parser.add_argument("--seeds", type=int, default=20)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
