"""A worker that trains nothing and imports no torch: `python toy_worker.py OUT NUMBER STUDY`.

Trials wait as long as the file OUT/wait exists; OUT/crash is the exit code of a worker that ends at
once, OUT/fail the message of trials that fail.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import optuna
from filelock import FileLock

from edgekd.tune.job import read_job
from edgekd.tune.study import FAILURE, WORKER, enough, open_study

TURN = ".turn.lock"


def main(out: Path, number: int, name: str) -> int:
    job = read_job(out)
    study = open_study(job, out, os.environ.get("EDGEKD_TUNE_STORAGE"), name=name, number=number)
    if (out / "crash").exists():
        return int((out / "crash").read_text())
    turn = FileLock(out / TURN)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        import socket

        trial.set_user_attr(WORKER, f"{socket.gethostname()}:{out.resolve()}:{os.getpid()}")
        turn.release()
        x = trial.suggest_float("student.fit.learning_rate", 1e-3, 1e-2, log=True)
        while (out / "wait").exists():
            time.sleep(0.02)
        if (out / "fail").exists():
            trial.set_user_attr(FAILURE, (out / "fail").read_text())
            raise ValueError
        return x, x

    while True:
        turn.acquire()
        if enough(study, job.trials):
            return 0
        study.optimize(objective, n_trials=1, catch=(ValueError,))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
