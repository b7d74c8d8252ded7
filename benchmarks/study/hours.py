"""What the study cost: hours by table and machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from layout import NOT_RUN, head
from records import Record

__all__ = ["cost_markdown"]


def cost_markdown(runs: Mapping[str, Record]) -> str:
    """Hours by table and machine; what was copied from another table counts once."""
    own = [record for record in runs.values() if record.epochs and not record.same_as]
    if not own:
        return f"Hours of training: {NOT_RUN}.\n"
    lines = head(["table", "runs", "processor hours", "hours by the clock"])
    for name in sorted({record.table for record in own}):
        lines.append(_cost_line(name, [record for record in own if record.table == name]))
    lines.append(_cost_line("all", own))
    return "\n".join([*lines, "", f"Machines: {'; '.join(_machines(own))}."]) + "\n"


def _cost_line(name: str, records: Sequence[Record]) -> str:
    processor = sum(record.cost.processor_hours for record in records)
    wall = sum(record.cost.wall_hours for record in records)
    return f"| {name} | {len(records)} | {processor:.1f} | {wall:.1f} |"


def _machines(records: Sequence[Record]) -> list[str]:
    sessions = [session for record in records for session in record.cost.sessions]
    return sorted(
        {
            f"{session.machine.get('cores_usable', '?')} cores of {session.machine.get('cpu', '?')}"
            for session in sessions
        }
    )
