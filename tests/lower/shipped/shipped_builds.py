"""Builds of a shipped student, for several test files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekd.lower.build import BuildRequest, BuiltBundle, build_all
from edgekd.targets import load_target

TARGET = load_target("cpu-onnx")


def build(model: Path, out: Path, **options: Any) -> BuiltBundle:
    """The one bundle of a build, for `TARGET` unless others are given."""
    targets = options.pop("targets", [TARGET])
    (built,) = build_all(BuildRequest(model=model, targets=targets, out=out, **options))
    return built
