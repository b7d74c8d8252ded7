"""Targets: what kind of device it is, and which backend lowers for it.

A target is a folder with a `target.toml`: edgekd's own in `targets/`, third parties' through
entry points of the group `edgekd.targets` (each the path of such a folder). What a lowered file may
lose is a matter of the policy, see `edgekd.policy`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edgekd.errors import EdgekdError, InputError
from edgekd.extensions.registry import Registry
from edgekd.resources import target_folders

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "TARGETS",
    "Target",
    "TargetApp",
    "load_target",
    "resolve_targets",
    "target_folder",
    "target_names",
]

TARGETS = Registry("target", "edgekd.targets", {path.name: path for path in target_folders()})
"""Names of targets; each stands for the path of its folder."""

_POLICY_SECTIONS = ("critical", "gate", "decision")
"""Sections that earlier versions had in target files, and that policies have now."""


class TargetApp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sources of an app that runs bundles on the device; all paths are relative.

    Attributes:
        project: Files and folders of the target's folder that are the app's project.
        bundle: Where the `.edgekd` file goes in the project.
        public_key: Where the public key goes that the bundle must be signed with.
        command: The command that builds the app, run in the project.
    """

    project: Annotated[tuple[str, ...], Meta(min_length=1)]
    bundle: str
    public_key: str
    command: str


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of device.

    Attributes:
        name: Name, as on the command line.
        title: Name for people.
        backend: The lowering backend.
        extra: The extra of edgekd that the device installs.
        any_computer: Whether any computer, this one included, is such a device.
        board_models: Parts of the board's name in its device tree, in lower case, by which this
            machine is recognised as such a device.
        ladder: Precisions that `--precision auto` tries, in this order; the first that passes the
            gate is taken.
        page: Whether its bundles run in the page for browsers, so that Chromium on this machine is
            such a device, and answers for the gate.
        app: Its app; None where there is none.
    """

    name: str
    title: str
    backend: str
    extra: str
    any_computer: bool = False
    page: bool = False
    board_models: tuple[str, ...] = ()
    ladder: Annotated[tuple[str, ...], Meta(min_length=1)]
    app: TargetApp | None = None


def target_names() -> list[str]:
    """Names of all targets, sorted."""
    return sorted(TARGETS.names())


def target_folder(name: str) -> Path:
    """The folder of a target, with all that only that device needs.

    Raises:
        InputError: There is no such target.
        MissingDependencyError, ArtefactError: A third party's target cannot be loaded.
    """
    return Path(TARGETS.load(name, lambda path: isinstance(path, str | Path)))


def load_target(name: str) -> Target:
    """A target by name.

    Raises:
        InputError: There is no such target, or its `target.toml` is wrong.
        MissingDependencyError, ArtefactError: A third party's target cannot be loaded.
    """
    file = target_folder(name) / "target.toml"
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        _refuse_policy_sections(raw, file)
        return msgspec.convert(raw, Target)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"the target {file} is wrong: {error}", "correct it") from error


def resolve_targets(names: str, broken: dict[str, EdgekdError] | None = None) -> list[Target]:
    """The targets of a comma-separated list, or of `all`.

    Args:
        names: The list.
        broken: Gets the error of each target of `all` that cannot be used; without it such a
            target is an error.

    Raises:
        InputError: A target is unknown or wrong.
        MissingDependencyError, ArtefactError: A third party's target cannot be loaded.
    """
    if names != "all":
        chosen = dict.fromkeys(part.strip() for part in names.split(","))
        return [load_target(name) for name in chosen]
    targets = []
    for name in target_names():
        try:
            targets.append(load_target(name))
        except EdgekdError as error:
            if broken is None:
                raise
            broken[name] = error
    return targets


def _refuse_policy_sections(raw: dict[str, Any], file: Path) -> None:
    sections = ", ".join(f"[{name}]" for name in _POLICY_SECTIONS if name in raw)
    if sections:
        raise InputError(
            f"the target {file} is wrong: {sections} belong in a policy",
            "move them to a policy file, and name it by `policy:` in the recipe or --policy FILE",
        )
