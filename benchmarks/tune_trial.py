"""Search on painted images and compare the front with the recipe itself.

python benchmarks/tune_trial.py --out runs/tune-trial --json tune.json

For each seed of the sampler: 20 short trials (32 px, six epochs) by 2 workers, one of which is
killed by SIGKILL in the middle of a trial. The table has the hypervolume of the recipe itself, of
the front, and of the other trials alone: the first trial of a search is the recipe itself, so the
front can never be worse. Exit code 1 where a front is no better than its recipe.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import optuna

from edgekd.cli.console import emit_json, exit_code_of, say
from edgekd.files import make_folder
from edgekd.tune.front import Point, hypervolume
from edgekd.tune.job import read_job
from edgekd.tune.outcome import FRONT, TuneResult
from edgekd.tune.study import WORKER, open_study

RECIPE = """\
name: painted
image_size: 32
policy: none
data: {{source: synthetic, images: 400, size: 48, seed: 7, root: {root}}}
split: {{validation: 0.3, test: 0.2}}
teacher:
  model: {{arch: resnet10t, options: {{channels: [16, 32, 64, 64], stem_width: 16}}}}
  fit: {{epochs: 8, batch_size: 16, learning_rate: 4.0e-3}}
student:
  model:
    arch: resnet10t
    options: {{channels: [8, 16, 32, 32], stem_width: 8, act_layer: relu6}}
  fit: {{epochs: 6, batch_size: 16, learning_rate: 4.0e-3}}
method: {{name: kd, temperature: 4.0, weight: 0.7}}
trainer: {{threads: 1, accelerator: cpu, precision: fp32}}
"""
SPACE = """\
student.model.options.channels: {width: [8, 16, 32, 32], factors: [0.5, 0.75, 1.0, 1.5, 2.0]}
student.fit.learning_rate: {low: 1.0e-3, high: 2.0e-2, log: true}
image_size: {choice: [24, 32]}
method.weight: {low: 0.2, high: 0.9}
"""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One search.

    Attributes:
        seed: Seed of the sampler.
        trials: Trials with a result.
        killed: The trial whose worker was killed, and which was tried again; None without one.
        default: Hypervolume of the recipe itself.
        front: Hypervolume of all trials.
        others: Hypervolume of the trials other than the recipe itself.
        seconds: Duration.
    """

    seed: int
    trials: int
    killed: int | None
    default: float
    front: float
    others: float
    seconds: float


def search(seed: int, out: Path, *, trials: int, workers: int, kill: bool) -> Row:
    """One search by the command line."""
    make_folder(out)
    (out / "recipe.yaml").write_text(RECIPE.format(root=out.parent / "data"))
    (out / "space.yaml").write_text(SPACE)
    command = [
        sys.executable, "-m", "edgekd", "tune", str(out / "recipe.yaml"),
        "--space", str(out / "space.yaml"), "--trials", str(trials), "--workers", str(workers),
        "--seed", str(seed), "--out", str(out / "search"),
    ]  # fmt: skip
    begin = time.perf_counter()
    killed: list[int] = []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    if kill:
        threading.Thread(target=_kill_one, args=(process, out / "search", killed)).start()
    if process.wait():
        raise SystemExit(process.returncode)
    seconds = time.perf_counter() - begin
    result = msgspec.json.decode((out / "search" / FRONT).read_bytes(), type=TuneResult)
    return _row(seed, result, killed, seconds)


def _kill_one(process: subprocess.Popen[bytes], out: Path, killed: list[int]) -> None:
    """Kill the worker of the first running trial after four are finished."""
    while process.poll() is None:
        time.sleep(0.2)
        if not (out / "study.journal").is_file():
            continue
        job = read_job(out)
        trials = open_study(job, out, name="painted").get_trials()
        running = [trial for trial in trials if WORKER in trial.user_attrs and _runs(trial)]
        if len(trials) - len(running) >= 4 and running:
            pid = int(running[0].user_attrs[WORKER].rpartition(":")[2])
            time.sleep(1.0)  # into its training
            os.kill(pid, signal.SIGKILL)
            killed.append(running[0].number)
            return


def _runs(trial: optuna.trial.FrozenTrial) -> bool:
    return trial.state == optuna.trial.TrialState.RUNNING


def _row(seed: int, result: TuneResult, killed: list[int], seconds: float) -> Row:
    assert result.reference is not None
    assert result.hypervolume is not None
    assert result.default_hypervolume is not None
    unit = result.trial(next(t.number for t in result.trials if t.default)).point.cost
    reference = Point(result.reference.quality, result.reference.cost / unit)
    complete = [t for t in result.trials if t.state == "complete"]
    others = [Point(t.point.quality, t.point.cost / unit) for t in complete if not t.default]
    return Row(
        seed=seed,
        trials=len(complete),
        killed=killed[0] if killed else None,
        default=result.default_hypervolume,
        front=result.hypervolume,
        others=hypervolume(others, reference),
        seconds=seconds,
    )


def markdown(rows: list[Row]) -> str:
    """The searches as a table."""
    head = "| seed | trials | killed in | recipe itself | front | others alone | s |\n"
    lines = [
        f"| {row.seed} | {row.trials} | {'—' if row.killed is None else f'trial {row.killed}'} "
        f"| {row.default:.3f} | {row.front:.3f} ({row.front / row.default:.2f} ×) "
        f"| {row.others:.3f} | {row.seconds:.0f} |"
        for row in rows
    ]
    return f"{head}|{'---|' * 7}\n" + "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Search with every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the searches")
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the sampler, with commas")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-kill", action="store_true", help="kill no worker")
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _searches(options))


def _searches(options: argparse.Namespace) -> int:
    rows: list[Row] = []
    for seed in map(int, options.seeds.split(",")):
        out = options.out / f"seed-{seed}"
        kill = not options.no_kill
        rows.append(search(seed, out, trials=options.trials, workers=options.workers, kill=kill))
        say(markdown(rows[-1:]))
    print(markdown(rows))
    if options.json is not None:
        emit_json(rows, options.json)
    return 0 if all(row.front > row.default for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
