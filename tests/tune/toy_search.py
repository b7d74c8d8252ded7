"""A search by toy workers, which Ctrl-C ends with 130: `python toy_search.py OUT`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from edgekd.tune import workers
from edgekd.tune.job import read_job
from edgekd.tune.study import open_study

TOY = Path(__file__).with_name("toy_worker.py")


def command(out: Path, number: int, study: str) -> list[str]:
    return [sys.executable, str(TOY), str(out), str(number), study]


def main(out: Path) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    workers._command = command
    job = read_job(out)
    try:
        workers.Workers(job, out, open_study(job, out), None, print, lambda trial: None).run()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
