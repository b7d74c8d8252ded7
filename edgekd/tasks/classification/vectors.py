"""Logits and sections `decision` of classification, for the conformance vectors."""

from __future__ import annotations

from typing import Any

__all__ = ["DECISIONS"]

_CLASSES = ("bkl", "mel", "nv")
_FITTED: dict[str, Any] = {
    "temperature": 1.7,
    "thresholds": {"mel": 0.12},
    "refer_below": 0.55,
    "energy_threshold": -0.5,
    "conformal_quantile": 0.8,
}
_NAN, _INF = float("nan"), float("inf")

DECISIONS: dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[float, ...]]] = {
    "plain": (_CLASSES, {}, (1.5, -0.25, 0.75)),
    "answer": (_CLASSES, _FITTED, (0.5, -4.0, 8.0)),
    "critical-class-on-top": (_CLASSES, _FITTED, (-1.0, 7.0, 0.5)),
    "not-excluded": (_CLASSES, _FITTED, (-3.0, 1.5, 4.0)),
    "unsure": (_CLASSES, _FITTED, (1.0, -4.0, 1.2)),
    "unfamiliar": (_CLASSES, _FITTED, (-2.0, -3.0, -4.0)),
    "all-reasons": (_CLASSES, _FITTED, (-1.2, -1.1, -1.15)),
    "tie": (_CLASSES, {"conformal_quantile": 0.5}, (2.0, 2.0, -1.0)),
    "empty-set-keeps-the-top": (_CLASSES, {"conformal_quantile": 0.0}, (1.0, 0.5, 0.0)),
    "whole-set": (_CLASSES, {"conformal_quantile": 1.0}, (9.0, 0.5, 0.0)),
    "at-its-threshold": (("a", "b"), {"thresholds": {"b": 0.5}}, (0.0, 0.0)),
    "tiny-threshold": (("a", "b"), {"thresholds": {"b": 0.004}}, (2.75, -2.75)),
    "tiny-probability": (("a", "b"), {"thresholds": {"b": 0.0}}, (40.0, -40.0)),
    "hot": (_CLASSES, {"temperature": 100.0, "refer_below": 0.34}, (3.0, 2.0, 1.0)),
    "cold": (_CLASSES, {"temperature": 0.01}, (3.0, 2.99, 1.0)),
    "huge": (_CLASSES, _FITTED, (3.0e38, -3.0e38, 0.0)),
    "not-a-number": (_CLASSES, _FITTED, (1.0, _NAN, 0.0)),
    "infinite": (_CLASSES, _FITTED, (_INF, 1.0, 0.0)),
    "minus-infinite": (_CLASSES, {}, (1.0, 2.0, -_INF)),
    "many": (
        tuple(f"class {n}" for n in range(12)),
        {"conformal_quantile": 0.93, "refer_below": 0.3},
        (0.1, 0.3, 0.2, 1.7, 1.1, -0.4, 0.0, 0.9, 1.3, -2.0, 0.6, 0.5),
    ),
}
"""Classes, decision and logits by name."""
