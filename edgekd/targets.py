"""Targets: what a device is, which backend lowers for it, and what a lowered file may lose.

A target is a folder with a `target.toml`: edgekd's own in `targets/`, third parties' through
entry points of the group `edgekd.targets` (each a path of such a folder).
"""

from __future__ import annotations

import difflib
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgekd.errors import InputError
from edgekd.resources import target_folders

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["DecisionRule", "GateLimits", "Target", "load_target", "resolve_targets", "target_names"]

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class GateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a lowered file may lose against the float student, on validation images.

    Attributes:
        max_flips: Share of images whose top class may change.
        max_balanced_accuracy_drop: In units of balanced accuracy (0.01 is one point).
        min_images: With fewer there is no evidence, and the gate fails.
    """

    max_flips: Share
    max_balanced_accuracy_drop: Share
    min_images: Annotated[int, Meta(ge=1)] = 50


class DecisionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the decision is fitted.

    Attributes:
        refer_coverage: Share of validation images that shall get an answer; the least certain
            rest is referred.
    """

    refer_coverage: Share = 1.0


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of device.

    Attributes:
        name: As on the command line.
        title: For people.
        backend: The lowering backend.
        extra: The extra of edgekd that the device installs.
        gate: Limits by precision.
        decision: How the decision is fitted.
    """

    name: str
    title: str
    backend: str
    extra: str
    gate: dict[str, GateLimits]
    decision: DecisionRule = DecisionRule()


def target_names() -> list[str]:
    """Names of all targets."""
    return sorted(_folders())


def load_target(name: str) -> Target:
    """A target by name.

    Raises:
        InputError: There is no such target, or its `target.toml` is wrong.
    """
    folders = _folders()
    if name not in folders:
        near = difflib.get_close_matches(name, folders, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no target {name!r}", f"{hint}known: {', '.join(folders)}")
    file = folders[name] / "target.toml"
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        return msgspec.convert(raw, Target)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"the target {file} is wrong: {error}", "correct it") from error


def resolve_targets(names: str) -> list[Target]:
    """The targets of a comma-separated list, or of `all`.

    Raises:
        InputError: One of them is unknown.
    """
    wanted = target_names() if names == "all" else [part.strip() for part in names.split(",")]
    return [load_target(name) for name in dict.fromkeys(wanted)]


def _folders() -> dict[str, Path]:
    folders = {folder.name: folder for folder in target_folders()}
    for point in entry_points(group="edgekd.targets"):
        folders[point.name] = Path(point.load())
    return folders
