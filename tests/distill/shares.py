"""One of two processes that do, one after the other, all that is small: what they exchange, and
what they learn together. Starting them takes longer than all of that.
"""

from __future__ import annotations

from typing import Any

import bank_share
import curriculum_share
import players_share
import process_share
from pair import take_part


def outcomes(rank: int, processes: int) -> dict[str, Any]:
    """What a process comes to, by the file of `tests/distill` that says what is done."""
    return {
        "process_share": process_share.exchanged(rank, processes),
        "curriculum_share": curriculum_share.both(rank, processes),
        "bank_share": bank_share.in_step(rank, processes),
        "players_share": players_share.outcomes(processes, players_share.QUICK),
    }


if __name__ == "__main__":
    take_part(outcomes)
