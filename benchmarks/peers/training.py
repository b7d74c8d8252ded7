"""Distillation by edgekd compared with torchdistill, NVIDIA ModelOpt and a plain loop.

python benchmarks/peers/training.py [--device cuda] [--json OUT] [--markdown OUT]

ResNet-50 teaches MobileNetV2 on painted dermoscopy: the same networks with the same weights, batch
size, optimiser and loss, which is compared on the first batches before anything is timed. Timed are
a training step (batches in memory) and a whole epoch (loader, augmentation, validation,
checkpoint). Every contestant runs in processes and in a virtual environment of its own (made by uv
below .edgekd-cache/peers, with pinned versions); the contestants take turns epoch by epoch, and
ratios are taken within turns. All twelve wait in memory, 1.4 GB each. Linux only.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from environments import Environments
from reports import REPOSITORY, available_bytes, plain, processor_seconds, revision
from training_contest import ROWS, Machine, Player, players
from training_passes import QUICK, Effort, check, timed_pass
from training_subject import Setting, Subject
from training_summary import aims_of, summary_of
from training_tables import markdown

from edgekd.bench.measure.load import other_share
from edgekd.bench.measure.machine import local_facts
from edgekd.cli.console import exit_code_of, publish, say
from edgekd.errors import InputError

_BYTES = 1_400_000_000
"""Memory of a contestant: ModelOpt's process had 1.46 GB at 96 px and batch 32, the others less."""


def main(arguments: list[str] | None = None) -> int:
    """Install, compare the losses, measure; print tables, write the files."""
    options = _options(arguments)

    def work() -> None:
        result = _result(options)
        files = {"markdown": options.markdown, "json": options.json}
        publish(markdown(result), plain(result), **files)

    return exit_code_of(work)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=Setting.images, help="painted images")
    parser.add_argument("--size", type=int, default=Setting.size, help="pixels a side")
    parser.add_argument("--batch", type=int, default=Setting.batch, help="images of a batch")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the arithmetic")
    parser.add_argument("--workers", type=int, default=1, help="the peers' loading processes")
    parser.add_argument("--rounds", type=int, help=f"default {Effort.rounds}")
    parser.add_argument("--turns", type=int, help=f"epochs in a round, default {Effort.turns}")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--quick", action="store_true", help="shows that it works")
    parser.add_argument(
        "--here", action="store_true", help="this Python for all contestants: no measurement"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], choices=[row.name for row in ROWS], metavar="NAME"
    )
    parser.add_argument(
        "--environments", type=Path, default=REPOSITORY / ".edgekd-cache" / "peers",
        help="folder for the contestants' environments",
    )  # fmt: skip
    return parser.parse_args(arguments)


def _result(options: argparse.Namespace) -> dict[str, Any]:
    effort = _effort(options)
    machine = Machine(options.device, options.threads, options.workers)
    environments = Environments(options.environments, here=options.here)
    with tempfile.TemporaryDirectory(prefix="edgekd-training-") as folder:
        say("painting the images, making the environments")
        setting = Setting(images=options.images, size=options.size, batch=options.batch)
        subject = Subject.make(setting, Path(folder))
        ready, missing = players(environments, subject, machine, Path(folder), options.only)
        losses, refused = check(ready)
        missing |= refused
        for name, reason in missing.items():
            say(f"{name}: {reason}")
        ready = [player for player in ready if player.row.name not in missing]
        _refuse_little_memory(len(ready), available_bytes())
        before, began = os.getloadavg(), processor_seconds()
        measured = _measured(ready, effort, setting.batch)
        ended = processor_seconds()
    return {
        "command": shlex.join(["python", "benchmarks/peers/training.py", *_shown(options)]),
        "revision": revision(),
        "machine": local_facts(),
        "gpu": torch.cuda.get_device_name() if machine.device == "cuda" else None,
        "where": dataclasses.asdict(machine),
        "load": {"before": before, "other_share": other_share(began, ended)},
        "effort": dataclasses.asdict(effort),
        "subject": subject.facts(),
        "environments": {
            name: environments.versions(name) for name in {one.row.environment for one in ready}
        },
        "losses": losses,
        "missing": missing,
        **measured,
    }


def _effort(options: argparse.Namespace) -> Effort:
    effort = QUICK if options.quick else Effort()
    return Effort(options.rounds or effort.rounds, options.turns or effort.turns)


def _refuse_little_memory(contestants: int, available: int | None) -> None:
    """Refuse to measure where the contestants, which wait for their turns, would be swapped out.

    Raises:
        InputError: There is too little memory; where it cannot be read, nothing is refused.
    """
    if available is not None and available < contestants * _BYTES:
        message = f"{contestants} contestants need about {contestants * _BYTES / 1e9:.0f} GB"
        raise InputError(
            f"{message} of memory, {available / 1e9:.0f} GB are available", "name fewer by --only"
        )


def _measured(ready: list[Player], effort: Effort, batch: int) -> dict[str, Any]:
    steps, _ = timed_pass("step", ready, effort)
    epochs, before = timed_pass("epoch", ready, effort)
    of_step = summary_of(
        steps,
        lambda answer: answer["step"] / batch,
        lambda answer: answer["step_processor"] / batch,
    )
    of_epoch = summary_of(
        epochs,
        lambda answer: answer["seconds"] / (batch * answer["steps"]),
        lambda answer: answer["processor"] / (batch * answer["steps"]),
    )
    return {
        "summary": {"step": of_step, "epoch": of_epoch},
        "aims": aims_of(of_step, of_epoch, ready[0].machine.device),
        "preparation_s": {
            name: max(answer["preparation"] for answer in answers)
            for name, answers in before.items()
            if all("preparation" in answer for answer in answers)
        },
        "step_answers": steps,
        "epoch_answers": epochs,
    }


def _shown(options: argparse.Namespace) -> list[str]:
    """The command line without this machine's paths."""
    defaults = _options([])
    names = ("images", "size", "batch", "device", "threads", "workers", "rounds", "turns")
    shown = [
        text
        for name in names
        if (value := getattr(options, name)) != getattr(defaults, name)
        for text in (f"--{name}", str(value))
    ]
    shown += [f"--{name}" for name in ("quick", "here") if getattr(options, name)]
    return [*shown, "--only", *options.only] if options.only else shown


if __name__ == "__main__":
    sys.exit(main())
