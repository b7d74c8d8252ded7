"""One of two processes that do, one after the other, all that two processes are tested by: what
they exchange, and what they learn together. Starting them takes longer than most of that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bank_share
import curriculum_share
import method_share
import players_share
import process_share
from pair import take_part


def outcomes(rank: int, processes: int) -> dict[str, Any]:
    """What a process comes to, by the file of `tests/distill` that says what is done."""
    work = Path(os.environ["WORK"])
    return {
        "process_share": process_share.exchanged(rank, processes),
        "curriculum_share": curriculum_share.both(rank, processes),
        "bank_share": bank_share.in_step(rank, processes),
        "method_share": method_share.all_outcomes(work, processes, method_share.QUICK),
        "players_share": players_share.outcomes(processes, players_share.QUICK),
    }


if __name__ == "__main__":
    take_part(outcomes)
