"""Non-inferiority to the teacher, by a paired interval and the policy's margin.

A row is not inferior where the whole interval of its difference lies at or above minus the margin,
and inferior where all of it lies below; a wide interval shows neither (Piaggio et al. 2012, CONSORT
statement on non-inferiority trials, figure 1).
"""

from __future__ import annotations

import msgspec

from edgekd.bench.result import (
    Margin,
    MarginState,
    PolicyFacts,
    Result,
    ResultRow,
    TeacherComparison,
)

__all__ = ["margin_of", "margin_state", "with_margins"]


def margin_state(low: float, high: float, margin: float) -> MarginState:
    """The state of a difference (row minus teacher) with the 95 % interval [low, high].

    Args:
        low: Lower end.
        high: Upper end.
        margin: How much the row may lose; not negative.
    """
    if low >= -margin:
        return "not-inferior"
    return "inferior" if high < -margin else "not-shown"


def margin_of(
    comparison: TeacherComparison, policy: PolicyFacts | None, default: PolicyFacts
) -> Margin | None:
    """Non-inferiority of a row by its policy; None where the policy's metric has no interval.

    Args:
        comparison: The row's paired differences to the teacher.
        policy: The row's policy; None where its bundle records none.
        default: Used where the row has no policy, or one without a margin.
    """
    if policy is None or policy.margin is None:
        policy = default
    delta = comparison.delta(policy.metric)
    if policy.margin is None or delta is None or delta.low is None or delta.high is None:
        return None
    state = margin_state(delta.low, delta.high, policy.margin)
    return Margin(metric=policy.metric, margin=policy.margin, state=state, policy=policy.name)


def with_margins(result: Result, policy: PolicyFacts) -> Result:
    """The result with a margin for every compared row that has none.

    Args:
        result: A result; those before schema version 1.5 have no margins.
        policy: Used where neither the row nor the result records a policy.
    """
    default = result.policy or policy
    rows = [_with_margin(row, default) for row in result.rows]
    return msgspec.structs.replace(result, rows=rows, policy=default)


def _with_margin(row: ResultRow, default: PolicyFacts) -> ResultRow:
    comparison = row.vs_teacher
    if comparison is None or comparison.margin is not None:
        return row
    comparison = msgspec.structs.replace(
        comparison, margin=margin_of(comparison, row.policy, default)
    )
    return msgspec.structs.replace(row, vs_teacher=comparison)
