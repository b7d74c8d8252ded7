"""Logits and sections `decision` of findings, for the conformance vectors."""

from __future__ import annotations

from typing import Any

__all__ = ["DECISIONS"]

_FINDINGS = ("streaks", "network", "blue veil")
_FITTED: dict[str, Any] = {
    "temperature": 1.3,
    "present_from": {"streaks": 0.6, "blue veil": 0.7},
    "absent_below": {"streaks": 0.2, "blue veil": 0.05},
    "critical": ["blue veil"],
    "energy_threshold": -0.4,
}
_NAN, _INF = float("nan"), float("inf")

DECISIONS: dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[float, ...]]] = {
    "plain": (_FINDINGS, {}, (1.5, -0.25, 0.75)),
    "none-present": (_FINDINGS, {}, (-3.0, -2.0, -5.0)),
    "answer": (_FINDINGS, _FITTED, (3.0, 2.0, 4.0)),
    "unsure": (_FINDINGS, _FITTED, (0.0, 2.0, 4.0)),
    "not-excluded": (_FINDINGS, _FITTED, (3.0, -2.0, -1.0)),
    "unfamiliar": (_FINDINGS, _FITTED, (-6.0, -7.0, -8.0)),
    "at-the-default": (_FINDINGS, {}, (0.0, 0.0, -1e-6)),
    "huge": (_FINDINGS, _FITTED, (3.0e38, -3.0e38, 0.0)),
    "not-a-number": (_FINDINGS, _FITTED, (_NAN, 1.0, 2.0)),
    "infinite": (_FINDINGS, _FITTED, (1.0, -_INF, 2.0)),
}
"""Findings, decision and logits by name."""
